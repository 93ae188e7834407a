#include "assay/attribute/index_documents.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>

#include "assay/core/error.h"
#include "assay/io/source.h"

namespace assay::attribute {
namespace {

using data::Example;

template <typename T>
void put(io::Arrays& arrays, const std::string& name, std::vector<T> values) {
  const int64_t count = std::ssize(values);
  arrays[name] = io::make_array({count}, std::move(values));
}

// Lists of different lengths as one array, and where each of them ends.
template <typename T, typename Lists>
void put_lists(io::Arrays& arrays, const std::string& name, const Lists& lists) {
  std::vector<T> all;
  std::vector<int64_t> ends;
  for (const auto& list : lists) {
    all.insert(all.end(), list.begin(), list.end());
    ends.push_back(std::ssize(all));
  }
  put(arrays, name, std::move(all));
  put(arrays, name + ".ends", std::move(ends));
}

class Reader {
 public:
  Reader(const io::Arrays& arrays, const std::string& source) : arrays_(arrays), source_{.name = source} {
    examples_ = std::ssize(column<uint64_t>("ids"));
  }

  bool has(const std::string& name) const { return arrays_.contains(name); }

  template <typename T>
  std::span<const T> column(const std::string& name) const {
    const io::Array& array = io::array_named(arrays_, name, source_.name, ErrorKind::Data);
    if (array.dtype != io::dtype_of<T>() || (examples_ >= 0 && array.size() != examples_))
      refuse("\"" + name + "\" must hold one number an example");
    return io::values<T>(array);
  }

  /// The i-th of the lists that put_lists joined.
  template <typename T>
  std::span<const T> list(const std::string& name, size_t i) const {
    const io::Array& all = io::array_named(arrays_, name, source_.name, ErrorKind::Data);
    const auto ends = column<int64_t>(name + ".ends");
    const int64_t begin = i == 0 ? 0 : ends[i - 1];
    if (all.dtype != io::dtype_of<T>() || begin < 0 || ends[i] < begin || ends[i] > all.size())
      refuse("\"" + name + "\" must be cut by rising ends");
    return io::values<T>(all).subspan(static_cast<size_t>(begin), static_cast<size_t>(ends[i] - begin));
  }

  std::string text(const std::string& name, size_t i) const {
    const auto bytes = list<uint8_t>(name, i);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  size_t examples() const { return static_cast<size_t>(examples_); }

 private:
  [[noreturn]] void refuse(const std::string& rule) const {
    source_.refuse(rule + ", but it does not; make the index again");
  }

  const io::Arrays& arrays_;
  io::Source source_;
  int64_t examples_ = -1;
};

template <typename Member>
auto members(const data::Dataset& dataset, Member member) {
  std::vector<std::decay_t<decltype(dataset.examples.front().*member)>> values;
  for (const Example& example : dataset.examples) values.push_back(example.*member);
  return values;
}

}  // namespace

void IndexedDocuments::append(IndexedDocuments further) {
  const auto join = [](auto& all, auto& more) {
    all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  };
  const int64_t before = document_of.empty() ? size() : document_of.back() + 1;
  if (!further.document_of.empty() || !document_of.empty()) {
    for (int64_t i = std::ssize(document_of); i < size(); ++i) document_of.push_back(i);
    for (int64_t i = 0; i < further.size(); ++i) {
      const auto place = static_cast<size_t>(i);
      document_of.push_back(before + (further.document_of.empty() ? i : further.document_of[place]));
    }
  }
  if (!is_part.empty() || !further.is_part.empty()) {
    is_part.resize(static_cast<size_t>(size()), false);
    further.is_part.resize(static_cast<size_t>(further.size()), false);
    is_part.insert(is_part.end(), further.is_part.begin(), further.is_part.end());
  }
  join(texts, further.texts);
  join(sources, further.sources);
  join(dataset.examples, further.dataset.examples);
  adds_bos = adds_bos || further.adds_bos;
}

io::Arrays to_arrays(const IndexedDocuments& documents) {
  const data::Dataset& dataset = documents.dataset;
  io::Arrays arrays;
  put(arrays, "ids", members(dataset, &Example::id));
  put_lists<int32_t>(arrays, "tokens", members(dataset, &Example::tokens));
  put(arrays, "first_counted", members(dataset, &Example::first_counted));
  put_lists<float>(arrays, "features", members(dataset, &Example::features));
  put(arrays, "label", members(dataset, &Example::label));
  put_lists<float>(arrays, "values", members(dataset, &Example::values));
  if (!documents.texts.empty()) put_lists<uint8_t>(arrays, "text", documents.texts);
  if (!documents.sources.empty()) put_lists<uint8_t>(arrays, "source", documents.sources);
  if (!documents.document_of.empty()) put(arrays, "document", documents.document_of);
  if (!documents.is_part.empty())
    put(arrays, "is_part", std::vector<uint8_t>(documents.is_part.begin(), documents.is_part.end()));
  put(arrays, "adds_bos", std::vector<uint8_t>(dataset.examples.size(), documents.adds_bos ? 1 : 0));
  return arrays;
}

IndexedDocuments from_arrays(const io::Arrays& arrays, const std::string& source) {
  const Reader reader(arrays, source);
  IndexedDocuments documents;
  const auto ids = reader.column<uint64_t>("ids");
  const auto first_counted = reader.column<int32_t>("first_counted"), labels = reader.column<int32_t>("label");
  const auto copied = [](auto span) { return std::vector<typename decltype(span)::value_type>(span.begin(), span.end()); };
  for (size_t i = 0; i < reader.examples(); ++i) {
    documents.dataset.examples.push_back({.id = ids[i],
                                          .tokens = copied(reader.list<int32_t>("tokens", i)),
                                          .first_counted = first_counted[i],
                                          .features = copied(reader.list<float>("features", i)),
                                          .label = labels[i],
                                          .values = copied(reader.list<float>("values", i))});
    if (reader.has("text")) documents.texts.push_back(reader.text("text", i));
    if (reader.has("source")) documents.sources.push_back(reader.text("source", i));
    if (reader.has("is_part")) documents.is_part.push_back(reader.column<uint8_t>("is_part")[i] != 0);
  }
  if (reader.has("document")) documents.document_of = copied(reader.column<int64_t>("document"));
  documents.adds_bos = reader.examples() > 0 && reader.column<uint8_t>("adds_bos")[0] != 0;
  return documents;
}

}  // namespace assay::attribute
