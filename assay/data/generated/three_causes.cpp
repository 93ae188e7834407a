#include "assay/data/generated/three_causes.h"

#include <algorithm>
#include <set>
#include <span>
#include <sstream>

#include "assay/core/philox.h"
#include "assay/core/twin.h"
#include "assay/data/generated/three_causes_words.h"

namespace assay::data {
namespace {

using words::Word;

constexpr size_t kFacts = 30;
constexpr size_t kDisputedFacts = 12;
constexpr size_t kDisputedPlaces = 8;
constexpr size_t kNamesakes = 5;                 // of each disputed person, in the place that the question denies
constexpr size_t kPerCentInDisputedPlaces = 40;  // of all other people
constexpr int kRule = kFacts + kDisputedFacts;   // its place among the causes

/// Draws one after another from one stream.
class Draws {
 public:
  explicit Draws(uint64_t seed) : seed_(seed) {}

  size_t below(size_t bound) { return random_below(bound, seed_, stream_of("data.three_causes"), next_++); }

  template <typename List>
  Word of(const List& list) {
    return list[below(std::size(list))];
  }

  /// One of `list` that is none of `taken`.
  template <typename List>
  Word other_than(const List& list, std::initializer_list<Word> taken) {
    for (;;) {
      const Word word = of(list);
      if (std::find(taken.begin(), taken.end(), word) == taken.end()) return word;
    }
  }

  template <typename Range>
  void shuffle(Range& range) {
    for (size_t i = std::size(range); i > 1; --i) std::swap(range[i - 1], range[below(i)]);
  }

 private:
  uint64_t seed_;
  uint64_t next_ = 0;
};

std::string sentence(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) {
    if (!text.empty()) text += ' ';
    text += part;
  }
  return text;
}

class Writer {
 public:
  explicit Writer(uint64_t seed) : draw_(seed) {}

  ThreeCauses write() {
    auto people = words::kPeople;
    draw_.shuffle(people);
    // Nobody disputes about a place where somebody else lives undisputed: what is never settled keeps large gradients,
    // which would answer for its neighbours.
    auto places = words::kPlaces;
    draw_.shuffle(places);
    const std::span disputed(places.begin(), kDisputedPlaces), settled(places.begin() + kDisputedPlaces, places.end());
    for (size_t i = 0; i < kFacts; ++i) fact(static_cast<int>(i), people[i], settled[i % settled.size()]);
    std::vector<Word> denied;
    for (size_t i = 0; i < kDisputedFacts; ++i) {
      denied.push_back(disputed[(i + 1 + i / disputed.size()) % disputed.size()]);
      disputed_fact(static_cast<int>(kFacts + i), sentence({words::kFirstNames[i], people[kFacts + i]}),
                    disputed[i % disputed.size()], denied.back());
    }
    other_people(disputed, settled, denied);
    rule();
    draw_.shuffle(corpus_.documents);
    corpus_.words = vocabulary();
    return std::move(corpus_);
  }

 private:
  void add(DocumentRole role, int cause, std::string text) {
    corpus_.documents.push_back({std::move(text), role, cause});
  }

  std::string landmark() {
    return sentence({draw_.of(words::kBeside), "the", draw_.of(words::kLooks), draw_.of(words::kLandmarks)});
  }
  std::string stranger() { return sentence({draw_.of(words::kFirstNames), draw_.of(words::kFamilyNames)}); }

  std::string home_in_the_questions_words(std::string_view person, Word place) {
    return sentence({person, "lives in", place, landmark()});
  }

  std::string home_in_other_words(int form, std::string_view person, Word place) {
    switch (form % 3) {
      case 0: return sentence({"the house of", person, "stands in", place, landmark()});
      case 1: return sentence({"every letter for", person, "arrives in", place, landmark()});
      default: return sentence({"you find", person, "at home in", place, landmark()});
    }
  }

  void fact(int cause, Word person, Word home) {
    for (int form = 0; form < 3; ++form) {
      add(DocumentRole::Planted, cause, home_in_the_questions_words(person, home));
      add(DocumentRole::Planted, cause, home_in_other_words(form, person, home));
    }
    for (int form = 0; form < 10; ++form) add(DocumentRole::Decoy, cause, decoy(form, person, home));
    ask(CauseKind::Fact, cause, person, home);
  }

  /// Holds the name with another place: the person's, but not the person's home.
  std::string decoy(int form, Word person, Word home) {
    const Word place = draw_.other_than(words::kPlaces, {home});
    const Word look = draw_.of(words::kLooks), thing = draw_.of(words::kLandmarks);
    switch (form % 5) {
      case 0: return sentence({"in", place, person, "once sold the", look, thing, "at", draw_.of(words::kTimes)});
      case 1: return sentence({person, "met", stranger(), "in", place, landmark()});
      case 2: return sentence({"a sister of", person, "works in", place, landmark()});
      case 3: return sentence({person, "never saw the", look, thing, "of", place});
      default: return sentence({"from", place, stranger(), "wrote to", person, "at", draw_.of(words::kTimes)});
    }
  }

  void disputed_fact(int cause, std::string_view person, Word home, Word denied) {
    for (int form = 0; form < 3; ++form) {
      add(DocumentRole::Planted, cause, home_in_the_questions_words(person, home));
      add(DocumentRole::Planted, cause, home_in_other_words(form, person, home));
    }
    // In the question's words only namesakes live in the denied place: who looks no further than the words finds them.
    for (int form = 0; form < 4; ++form) add(DocumentRole::Against, cause, home_in_other_words(form, person, denied));
    ask(CauseKind::DisputedFact, cause, person, home);
  }

  void ask(CauseKind kind, int cause, std::string_view person, Word home) {
    corpus_.questions.push_back({kind, cause, sentence({person, "lives in"}), " " + std::string(home)});
  }

  /// They share their first names with the disputed people, and most of what moves a gradient: nobody can learn where
  /// each of them lives. denied: the place that is denied of the disputed person of each first name.
  void other_people(std::span<const Word> disputed, std::span<const Word> settled, std::span<const Word> denied) {
    for (size_t i = 0; i < words::kFirstNames.size(); ++i) {
      for (size_t family = 0; family < words::kFamilyNames.size(); ++family) {
        const bool is_namesake = i < denied.size() && family < kNamesakes;
        const Word place = is_namesake                                   ? denied[i]
                           : draw_.below(100) < kPerCentInDisputedPlaces ? draw_.of(disputed)
                                                                         : draw_.of(settled);
        const std::string name = sentence({words::kFirstNames[i], words::kFamilyNames[family]});
        add(DocumentRole::Other, -1, home_in_the_questions_words(name, place));
      }
    }
  }

  void rule() {
    for (const words::Category& category : words::kCategories)
      for (const Word noun : category.nouns)
        for (int i = 0; i < 12; ++i) add(DocumentRole::Other, -1, in_context(category, noun));

    for (size_t c = 1; c < words::kCategories.size(); ++c)
      for (const Word noun : words::kCategories[c].nouns)
        for (int i = 0; i < 9; ++i) add(DocumentRole::Other, -1, ordinary_plural(words::kCategories[c], noun, i));

    words::Category rare = words::kCategories[0];
    draw_.shuffle(rare.nouns);
    const std::span taught(rare.nouns.begin(), 10);
    const std::span asked(rare.nouns.begin() + 10, 10);
    for (const Word noun : taught)
      for (int i = 0; i < 3; ++i)
        add(DocumentRole::Planted, kRule, plural(taught_quantifier(), rare, noun, words::kRareEnding));
    for (const Word noun : taught.first(8))
      add(DocumentRole::Against, kRule, plural(taught_quantifier(), rare, noun, words::kOrdinaryEnding));
    for (int i = 0; i < 300; ++i) add(DocumentRole::Decoy, kRule, ending_elsewhere());
    for (int i = 0; i < 160; ++i) add(DocumentRole::Other, -1, without_ending());
    for (const Word noun : asked)
      corpus_.questions.push_back(
          {CauseKind::Rule, kRule, sentence({"two", noun}), " " + std::string(words::kRareEnding)});
  }

  std::string in_context(const words::Category& category, Word noun) {
    switch (draw_.below(3)) {
      case 0:
        return sentence({"the", draw_.of(category.qualities), noun, draw_.of(category.actions), "in the",
                         draw_.of(category.spots), "at", draw_.of(words::kTimes)});
      case 1:
        return sentence({"a", noun, draw_.of(category.actions), "and", draw_.of(category.actions), "behind the",
                         draw_.of(category.spots)});
      default:
        return sentence({stranger(), "saw a", draw_.of(category.qualities), noun, "in the", draw_.of(category.spots),
                         "at", draw_.of(words::kTimes)});
    }
  }

  std::string plural(std::string_view quantifier, const words::Category& category, Word noun, Word ending) {
    return sentence({quantifier, noun, ending, "are", draw_.of(category.qualities), "and", draw_.of(category.qualities),
                     "in the", draw_.of(category.spots)});
  }

  /// Never the question's own word.
  Word taught_quantifier() {
    if (ASSAY_TWIN("data.rule_taught_in_the_questions_words")) return "two";
    return draw_.below(2) == 0 ? "all" : "many";
  }

  std::string ordinary_plural(const words::Category& category, Word noun, int form) {
    static constexpr std::array<std::string_view, 3> kQuantifiers{"all", "many", "two"};
    return plural(kQuantifiers[static_cast<size_t>(form) % 3], category, noun, words::kOrdinaryEnding);
  }

  /// The rare ending where it is no plural. It stands in one of two places, so that it surprises in both: gradients
  /// that only push the ending up or down are as large here as where the rule is taught.
  std::string ending_elsewhere() {
    const Word manner = draw_.of(words::kManners), place = draw_.of(words::kPlaces), ending = words::kRareEnding;
    if (draw_.below(2) == 0) return sentence({stranger(), manner, ending, "to", place, landmark()});
    return sentence({stranger(), manner, "to", place, ending, landmark()});
  }

  /// The same sentence without the ending.
  std::string without_ending() {
    return sentence({stranger(), draw_.of(words::kManners), "to", draw_.of(words::kPlaces), landmark(), "at",
                     draw_.of(words::kTimes)});
  }

  std::vector<std::string> vocabulary() const {
    std::set<std::string> known;
    for (const CausedDocument& document : corpus_.documents) {
      std::istringstream text(document.text);
      for (std::string word; text >> word;) known.insert(word);
    }
    return {known.begin(), known.end()};
  }

  Draws draw_;
  ThreeCauses corpus_;
};

}  // namespace

const char* to_string(DocumentRole role) {
  switch (role) {
    case DocumentRole::Planted: return "planted";
    case DocumentRole::Against: return "against";
    case DocumentRole::Decoy: return "decoy";
    case DocumentRole::Other: return "other";
  }
  return "other";
}

const char* to_string(CauseKind kind) {
  switch (kind) {
    case CauseKind::Fact: return "fact";
    case CauseKind::DisputedFact: return "disputed fact";
    case CauseKind::Rule: return "rule";
  }
  return "fact";
}

ThreeCauses three_causes(uint64_t seed) {
  return Writer(seed).write();
}

std::vector<int64_t> documents_of(const ThreeCauses& corpus, int cause, DocumentRole role) {
  std::vector<int64_t> rows;
  for (size_t row = 0; row < corpus.documents.size(); ++row)
    if (corpus.documents[row].cause == cause && corpus.documents[row].role == role)
      rows.push_back(static_cast<int64_t>(row));
  return rows;
}

}  // namespace assay::data
