// Plain data that every report page is made of. Whoever computes a result fills these structs; the report reads them
// and computes nothing but ranks, shares and percentiles of what it is given. Texts are bytes as they came (a corpus, a
// model): the report escapes them. Numbers must be finite: a page with a NaN in it is refused (ErrorKind::Internal).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace assay::report {

/// An estimate with its 95 % interval, all three in the same unit.
struct Interval {
  double mean = 0;
  double low = 0;
  double high = 0;
};

/// What the user calls one example: "document", "documents"; "story", "stories".
struct Noun {
  std::string one = "document";
  std::string many = "documents";
};

/// One row of the table "Run it again". `code` (a path, a hash) is set in the typewriter face, before `text`.
struct ProvenanceRow {
  std::string name;
  std::string code;
  std::string text;
};

/// One row of planned against actual cost. Texts are ready to print ("38 s", "212 MiB"); the numbers, in one unit of
/// the caller's choice, draw the bars.
struct CostRow {
  std::string name;
  std::string planned_text;
  std::string actual_text;
  double planned = 0;
  double actual = 0;
};

/// The end of every page: what it was made from and what it cost.
struct Provenance {
  std::string command;  ///< the full command line, ready to be pasted into a shell; lines end in " \\\n"
  std::string note;     ///< one sentence beside it; empty: "The same command on the same files …"
  std::vector<ProvenanceRow> rows;
  std::vector<CostRow> costs;
};

struct ModelFacts {
  std::string name;    ///< "stories260K"
  std::string family;  ///< "llama"
  int blocks = 0;
  int width = 0;
  int heads = 0;
  int kv_heads = 0;
  int vocabulary = 0;
  std::int64_t parameters = 0;
  std::string dtype;  ///< precision of the arithmetic: "fp32"
};

}  // namespace assay::report
