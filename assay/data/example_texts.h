// Texts of a dataset's examples, for what reads words: handed out one after the other, never all held.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay::data {

class ExampleTexts {
 public:
  virtual ~ExampleTexts() = default;

  virtual int64_t size() const = 0;
  /// Calls `visit` with each of `rows` (ascending) and its text, which is valid during the call. Error(Data) by name
  /// where a text has to be read again and its file has changed.
  virtual void visit(std::span<const int64_t> rows,
                     const std::function<void(int64_t row, std::string_view text)>& visit) const = 0;

  /// The same for every row.
  void visit_all(const std::function<void(int64_t row, std::string_view text)>& visit) const;
};

/// Texts in memory.
class TextList final : public ExampleTexts {
 public:
  explicit TextList(std::vector<std::string> texts) : texts_(std::move(texts)) {}

  int64_t size() const override { return std::ssize(texts_); }
  void visit(std::span<const int64_t> rows,
             const std::function<void(int64_t row, std::string_view text)>& visit) const override {
    for (const int64_t row : rows) visit(row, texts_.at(static_cast<size_t>(row)));
  }

 private:
  std::vector<std::string> texts_;
};

}  // namespace assay::data
