// The frame of every page: head with a content security policy that admits nothing but the page's own style and script,
// masthead, headline, sections with a rail (what it says) and a stage (the evidence), how to read it, provenance,
// footer. A page asks no host for anything and reads the same without its script, which only adds copy buttons and
// marks one document across figures.
#pragma once

#include <string>
#include <vector>

#include "assay/report/html.h"
#include "assay/report/view.h"

namespace assay::report {

/// Numbers figures g1, g2, … in reading order, so that titles and descriptions have ids without texts in them.
class FigureNumbers {
 public:
  int next() { return ++last_; }

 private:
  int last_ = 0;
};

/// A place on the page that the masthead links to.
struct Anchor {
  std::string id;
  std::string text;
};

struct Section {
  std::string id;
  std::string name;         ///< what it is about, small: "The sentence"
  Html finding;             ///< what was found: the h2
  std::vector<Html> notes;  ///< how to read the evidence
  Html stage;               ///< the evidence
};

struct ReadingLine {
  std::string name;  ///< "Unit."
  Html text;
};

std::string script();

Html masthead(const std::string& command, const std::vector<Anchor>& anchors);
Html headline(const Html& finding, const Html& deck, const std::vector<std::string>& facts);
Html section(const Section& section);
/// Spans both columns: cards and small multiples.
Html wide_section(const Section& section);
Html how_to_read(const std::vector<ReadingLine>& lines);
Html provenance(const Provenance& provenance);

/// The whole document. `main` is everything between masthead and footer.
std::string page(const std::string& title, const Html& masthead, const Html& main, const std::string& footer);

}  // namespace assay::report
