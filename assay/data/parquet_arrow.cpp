// Parquet by the Arrow library. This is the only source that includes its headers, and nothing of it is thrown out of
// here: what Arrow says becomes an Error(Data). Columns are read below Arrow's own tables, as texts that point into the
// page they stand on: nothing is copied, and no batch of long texts is gathered in memory.
#include <arrow/config.h>
#include <arrow/io/file.h>
#include <arrow/memory_pool.h>
#include <parquet/column_reader.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>
#include <unistd.h>

#include <algorithm>
#include <compare>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "assay/core/error.h"
#include "assay/core/near_match.h"
#include "assay/core/twin.h"
#include "assay/data/parquet_rows.h"
#include "assay/io/utf8.h"

namespace assay::data {
namespace {

constexpr int64_t kBatch = 256;                     // rows that a column hands out at once, at most a page of them
constexpr int64_t kBuffer = int64_t{1} << 20;       // bytes that are asked of the disk at once
constexpr uint32_t kMostBytes = uint32_t{1} << 28;  // of a text, as in other files
constexpr const char* kAdvice = "fetch the file again, or write it again";

/// One column on its way through a row group.
struct Column {
  std::string name;
  int place = 0;                                     // among the leaves of the schema
  bool has_nulls = false;                            // whether it may hold any
  std::shared_ptr<parquet::ByteArrayReader> reader;  // of the row group that is open
  std::vector<parquet::ByteArray> texts = std::vector<parquet::ByteArray>(kBatch);
  std::vector<int16_t> levels = std::vector<int16_t>(kBatch);  // 1: the row has a text, 0: it is null
  int64_t rows = 0, row = 0;                                   // in the batch, and handed out of it
  int64_t text = 0;                                            // handed out of `texts`, which leaves nulls out
  std::optional<std::string_view> current = {};

  void open(std::shared_ptr<parquet::ColumnReader> of_group) {
    reader = std::static_pointer_cast<parquet::ByteArrayReader>(std::move(of_group));
    rows = row = text = 0;
    current.reset();
  }

  /// To the next row; false where the column ends before.
  bool next() {
    if (row == rows) {
      int64_t texts_read = 0;
      row = text = 0;
      rows = reader->ReadBatch(kBatch, has_nulls ? levels.data() : nullptr, nullptr, texts.data(), &texts_read);
      if (rows == 0) return false;
      const int64_t present = has_nulls ? std::count(levels.begin(), levels.begin() + rows, int16_t{1}) : rows;
      if (present != texts_read) return false;
    }
    const auto level = levels[static_cast<size_t>(row++)];
    current.reset();
    if (has_nulls && level == 0) return true;
    const parquet::ByteArray& found = texts[static_cast<size_t>(text++)];
    current = std::string_view(reinterpret_cast<const char*>(found.ptr), found.len);
    return true;
  }

  /// Passes over rows; false where the column ends before.
  bool skip(int64_t count) {
    for (; count > 0 && row < rows; --count) {
      if (!next()) return false;
    }
    return count == 0 || reader->Skip(count) == count;
  }
};

std::string in_one_line(std::string words) {
  std::replace_if(
      words.begin(), words.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7F; }, ' ');
  return words;
}

}  // namespace

struct ParquetRows::State {
  io::Source source;
  io::FileState file;
  std::unique_ptr<parquet::ParquetFileReader> reader;
  std::vector<Column> columns;
  std::vector<int64_t> begins;  // the first row of each row group, and behind the last one the number of rows
  size_t group = 0;             // the row group that is open
  bool is_open = false;
  int64_t row = 0;  // comes next
  int64_t number = 0;
  uint64_t end_of_read = 0;

  State(const std::string& path, const std::string& shown, const std::vector<std::string>& names)
      : source{.name = shown.empty() ? path : shown, .advice = kAdvice} {
    const io::FileDescriptor descriptor = io::open_for_reading(path, ErrorKind::Data, &file);
    guarded([&] {
      parquet::ReaderProperties properties(::arrow::system_memory_pool());
      properties.enable_buffered_stream();
      properties.set_buffer_size(kBuffer);
      properties.set_page_checksum_verification(true);
      PARQUET_ASSIGN_OR_THROW(auto bytes, ::arrow::io::ReadableFile::Open(::dup(descriptor.value())));
      reader = parquet::ParquetFileReader::Open(std::move(bytes), properties);
      for (const std::string& name : names) columns.push_back(column_named(name));
      count_rows();
      require_apart();
    });
  }

  [[noreturn]] void refuse_damage(const std::string& found) const {
    source.refuse("the file must be a whole Parquet file, but " + found);
  }

  /// Calls what may throw exceptions of Arrow.
  template <class Call>
  std::invoke_result_t<Call&> guarded(Call&& call) const {
    try {
      return call();
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      refuse_damage("Arrow says: " + io::quote(in_one_line(error.what())));
    }
  }

  Column column_named(const std::string& name) const {
    const parquet::SchemaDescriptor& schema = *reader->metadata()->schema();
    const parquet::schema::GroupNode& top = *schema.group_node();
    std::vector<std::string> known;
    for (int field = 0; field < top.field_count(); ++field) known.push_back(top.field(field)->name());
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end()) {
      source.refuse("column " + io::quote(name) + " must be there, but it is missing" + closest_clause(name, known) +
                    "; name another field");
    }
    if (std::find(found + 1, known.end(), name) != known.end()) {
      source.refuse("a column must stand once in its file, but " + io::quote(name) +
                    " stands there twice; write the file with one of them");
    }
    const parquet::schema::Node& node = *top.field(static_cast<int>(found - known.begin()));
    const bool is_text =
        node.is_primitive() && !node.is_repeated() && node.logical_type()->is_string() &&
        static_cast<const parquet::schema::PrimitiveNode&>(node).physical_type() == parquet::Type::BYTE_ARRAY;
    if (!is_text) {
      source.refuse("column " + io::quote(name) + " must hold strings, but it holds " + type_of(node) +
                    "; name another field, or write its values as strings");
    }
    return {.name = name, .place = schema.ColumnIndex(node), .has_nulls = node.is_optional(), .reader = nullptr};
  }

  static std::string type_of(const parquet::schema::Node& node) {
    if (node.is_repeated()) return "lists";
    if (node.is_group()) return node.logical_type()->is_list() ? "lists" : "groups of columns";
    const auto& primitive = static_cast<const parquet::schema::PrimitiveNode&>(node);
    const std::string stored = parquet::TypeToString(primitive.physical_type());
    return node.logical_type()->is_none() ? "values of type " + stored
                                          : in_one_line(node.logical_type()->ToString()) + " in " + stored;
  }

  void count_rows() {
    const parquet::FileMetaData& metadata = *reader->metadata();
    begins = {0};
    int groups = metadata.num_row_groups();
    if (ASSAY_TWIN("data.last_row_group_left_out")) --groups;
    for (int each = 0; each < groups; ++each) {
      const int64_t count = metadata.RowGroup(each)->num_rows();
      if (count < 0 || count > metadata.num_rows() - begins.back())
        refuse_damage("its row groups hold other rows than its footer says");
      begins.push_back(begins.back() + count);
    }
    if (begins.back() != metadata.num_rows() && !ASSAY_TWIN("data.last_row_group_left_out"))
      refuse_damage("its row groups hold other rows than its footer says");
  }

  int64_t rows() const { return begins.back(); }

  struct Range {
    int64_t begin = 0, end = 0;
    auto operator<=>(const Range&) const = default;
  };

  /// The bytes of a column in a row group.
  Range range_of(size_t of_group, const Column& column) const {
    const auto chunk = reader->metadata()->RowGroup(static_cast<int>(of_group))->ColumnChunk(column.place);
    Range range{.begin = chunk->data_page_offset()};
    if (chunk->has_dictionary_page()) range.begin = std::min(range.begin, chunk->dictionary_page_offset());
    const auto size = static_cast<int64_t>(file.bytes);
    const int64_t bytes = chunk->total_compressed_size();
    if (range.begin < 0 || bytes < 0 || range.begin > size || bytes > size - range.begin)
      refuse_damage("row group " + std::to_string(of_group) + " goes beyond its end");
    range.end = range.begin + bytes;
    return range;
  }

  /// A footer has no checksum: a row group that it places where another one lies would be read twice.
  void require_apart() const {
    std::vector<Range> ranges;
    for (size_t each = 0; each + 1 < begins.size(); ++each)
      for (const Column& column : columns) ranges.push_back(range_of(each, column));
    std::sort(ranges.begin(), ranges.end());
    for (size_t i = 1; i < ranges.size(); ++i) {
      if (ranges[i].begin < ranges[i - 1].end) refuse_damage("two of its row groups or columns overlap");
    }
  }

  /// Opens the row group of a row, at its front.
  void open_group_of(int64_t wanted) {
    group = static_cast<size_t>(std::upper_bound(begins.begin(), begins.end(), wanted) - begins.begin()) - 1;
    const auto of_file = reader->RowGroup(static_cast<int>(group));
    for (Column& column : columns) {
      end_of_read = std::max(end_of_read, static_cast<uint64_t>(range_of(group, column).end));
      column.open(of_file->Column(column.place));
    }
    is_open = true;
    row = begins[group];
  }

  [[noreturn]] void refuse_group() const {
    refuse_damage("row group " + std::to_string(group) + " holds other rows than the footer says");
  }

  /// What is left in a row group when its rows have gone by belongs to nobody.
  void close_group() {
    for (const Column& column : columns) {
      if (column.row < column.rows || column.reader->HasNext()) refuse_group();
    }
    is_open = false;
  }

  bool next() {
    // Only now: the texts that were handed out last pointed into its page.
    if (is_open && row == begins[group + 1]) close_group();
    if (row == rows()) {
      end_of_read = file.bytes;
      return false;
    }
    if (!is_open) open_group_of(row);
    number = row + 1;
    for (Column& column : columns) {
      if (!column.next()) refuse_group();
      require_text(column);
    }
    ++row;
    return true;
  }

  void require_text(const Column& column) const {
    const std::string place = "row " + std::to_string(number);
    if (!column.current) {
      source.refuse(place + " must have a text in column " + io::quote(column.name) +
                    ", but it is null; leave such rows out, or write an empty text, which is dropped and counted");
    }
    if (column.current->size() > kMostBytes) {
      source.refuse("a text must be at most " + std::to_string(kMostBytes) + " bytes long, but the one of " + place +
                    " is longer; divide it into several rows");
    }
    io::require_utf8(*column.current, 0, {.name = source.name + ", " + place});
  }

  void go_to(int64_t wanted) {
    if (wanted > rows()) {
      source.refuse("the file must have at least " + std::to_string(wanted) +
                    " rows, as it had when it was read before, but it has " + std::to_string(rows()) +
                    "; put the file back as it was");
    }
    const bool is_ahead = is_open && wanted >= row && wanted < begins[group + 1];
    if (!is_ahead) {
      is_open = false;
      row = number = wanted;
      if (wanted == rows()) return;
      open_group_of(wanted);
    }
    const int64_t count = ASSAY_TWIN("data.rows_fetched_from_the_front") ? 0 : wanted - row;
    for (Column& column : columns) {
      if (!column.skip(count)) refuse_group();
    }
    row = number = wanted;
  }
};

std::string arrow_version() {
  return ARROW_VERSION_STRING;
}

ParquetRows::ParquetRows(const std::string& path, const std::string& shown, const std::vector<std::string>& columns)
    : state_(std::make_unique<State>(path, shown, columns)) {}

ParquetRows::~ParquetRows() = default;

bool ParquetRows::next() {
  return state_->guarded([&] { return state_->next(); });
}

std::string_view ParquetRows::text(size_t column) const {
  const std::optional<std::string_view>& text = state_->columns.at(column).current;
  ASSAY_ASSERT(text);
  return *text;
}

int64_t ParquetRows::number() const {
  return state_->number;
}

void ParquetRows::go_to(int64_t row) {
  ASSAY_ASSERT(row >= 0);
  state_->guarded([&] { state_->go_to(row); });
}

int64_t ParquetRows::rows() const {
  return state_->rows();
}

const io::FileState& ParquetRows::file() const {
  return state_->file;
}

uint64_t ParquetRows::end_of_read() const {
  return state_->end_of_read;
}

const io::Source& ParquetRows::source() const {
  return state_->source;
}

}  // namespace assay::data
