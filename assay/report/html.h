// Markup and text are two types, so that text cannot become markup by accident: `html("<p>{}</p>", x)` inserts Html as
// it is and escapes every string. Numbers other than integers are refused by the compiler: they pass through numbers.h,
// which knows about signs, units and locales.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "assay/report/escape.h"

namespace assay::report {

/// A piece of well-formed markup.
class Html {
 public:
  Html() = default;
  /// Declares that `text` is markup: for literals of the program, never for text from outside.
  static Html markup(std::string text) { return Html(std::move(text)); }
  static Html text(std::string_view text, Breaks breaks = Breaks::Keep) { return Html(escape(text, breaks)); }

  const std::string& str() const { return text_; }
  bool empty() const { return text_.empty(); }
  Html& operator+=(const Html& other) {
    text_ += other.text_;
    return *this;
  }
  friend Html operator+(Html a, const Html& b) { return a += b; }

 private:
  explicit Html(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

namespace detail {

template <class T>
concept TextLike = std::convertible_to<const T&, std::string_view>;

template <class T>
using Slot = std::conditional_t<std::integral<std::remove_cvref_t<T>>, std::remove_cvref_t<T>, std::string>;

inline const std::string& slot(const Html& html) {
  return html.str();
}
template <TextLike T>
std::string slot(const T& text) {
  return escape(text);
}
template <std::integral T>
T slot(T number) {
  return number;
}
void slot(std::floating_point auto) = delete;

}  // namespace detail

/// Markup from a literal pattern: strings are escaped, Html and integers are inserted.
template <class... Args>
Html html(fmt::format_string<detail::Slot<Args>...> pattern, const Args&... args) {
  return [&](const auto&... slots) {
    return Html::markup(fmt::vformat(fmt::string_view(pattern), fmt::make_format_args(slots...)));
  }(static_cast<const detail::Slot<Args>&>(detail::slot(args))...);
}

}  // namespace assay::report
