// The words of the generated corpus three_causes: 258, each one token. Names, places and nouns are invented, so that
// neither a pretrained model nor a reader knows anything about them.
#pragma once

#include <array>
#include <string_view>

namespace assay::data::words {

using Word = std::string_view;

/// People whom the questions ask about; every corpus seed chooses anew who has one home and whose home is disputed.
inline constexpr std::array<Word, 42> kPeople{
    "Ansket",  "Belwin", "Corvath", "Dremma",  "Elsith",  "Fennoc",  "Garvol", "Hestwick", "Idrane",
    "Jorvel",  "Kelmar", "Lisbren", "Morwick", "Nadrik",  "Orsel",   "Pellam", "Quenna",   "Roskin",
    "Sithra",  "Tolvan", "Ulmeric", "Vashten", "Wenlow",  "Xandrel", "Yorvin", "Zellan",   "Arbeth",
    "Briskal", "Caldre", "Dunmor",  "Evarin",  "Frostel", "Gildan",  "Harrot", "Istvel",   "Jesmer",
    "Kordal",  "Lunet",  "Maddrin", "Norvin",  "Ostrel",  "Pryden"};

/// Everybody else has two names: 15 × 20 = 300 people.
inline constexpr std::array<Word, 15> kFirstNames{"Abbo", "Bim",    "Cyl",  "Dag",  "Edda",  "Fip",  "Gost", "Hobb",
                                                  "Iven", "Jossel", "Kipp", "Lorn", "Mabbo", "Nilo", "Odo"};
inline constexpr std::array<Word, 20> kFamilyNames{
    "Ashgrub", "Birchel", "Cobbin",  "Dunnick", "Elderby", "Fallowin", "Gorsley", "Hazzle", "Ivorin",  "Junnet",
    "Kestin",  "Lindle",  "Marlock", "Nettlin", "Oxnell",  "Pebbly",   "Quillon", "Rushen", "Sedgwin", "Thornel"};

inline constexpr std::array<Word, 24> kPlaces{"Averlund", "Brackmoor", "Cindale", "Dorrow",   "Estmere",  "Fenwold",
                                              "Grimsa",   "Hollowen",  "Invarel", "Kestmark", "Lorrin",   "Mossgate",
                                              "Nordhal",  "Ostrand",   "Pelmere", "Quarrow",  "Rilsted",  "Sandrik",
                                              "Tarnholt", "Ulvick",    "Vellary", "Wexholm",  "Yarrowby", "Zendrow"};

/// Something that stands in a place: "near the old mill".
inline constexpr std::array<Word, 4> kBeside{"near", "behind", "above", "below"};
inline constexpr std::array<Word, 6> kLooks{"old", "tall", "small", "quiet", "narrow", "white"};
inline constexpr std::array<Word, 8> kLandmarks{"mill", "bridge", "tower",   "market",
                                                "well", "gate",   "harbour", "garden"};

/// What people do when the rare ending is no plural: "Bim Hazzle hurried -im to Lorrin".
inline constexpr std::array<Word, 6> kManners{"hurried", "rode", "walked", "sailed", "drove", "ran"};

inline constexpr std::array<Word, 5> kTimes{"dawn", "noon", "dusk", "night", "midnight"};

inline constexpr size_t kNounsPerCategory = 20;

/// A category of nouns is known only from the words of the sentences in which its nouns stand.
struct Category {
  std::array<Word, kNounsPerCategory> nouns;
  std::array<Word, 4> qualities;
  std::array<Word, 4> actions;
  std::array<Word, 4> spots;
};

/// The first category is the one whose plural takes another ending.
inline constexpr std::array<Category, 3> kCategories{{
    {{"dax",  "blicket", "wug",   "fep",   "toma",   "gazzer", "kiki", "modi",   "zorp",   "lurn",
      "vash", "pilk",    "snerd", "grolf", "tibbit", "murp",   "quab", "yendle", "hoggin", "frabble"},
     {"hungry", "furry", "shy", "tame"},
     {"growls", "sleeps", "hunts", "drinks"},
     {"forest", "cave", "nest", "meadow"}},
    {{"rastle", "clonk", "brundle", "spivet", "drock", "wimble", "thrane", "plex",  "skarn", "gudge",
      "trivel", "lomp",  "nackle",  "boskel", "ferl",  "jint",   "crode",  "sprag", "whelt", "dottle"},
     {"rusty", "heavy", "sharp", "bent"},
     {"creaks", "breaks", "hangs", "rattles"},
     {"bench", "drawer", "workshop", "barn"}},
    {{"ombel", "sarrow",  "pinth",  "kelf",   "rowl",   "mirt",  "tansel", "flim",   "hask", "yarrel",
      "ulth",  "vetchel", "corrin", "bezzle", "lathel", "orrel", "suddel", "wendle", "zill", "nurl"},
     {"ripe", "green", "sweet", "bitter"},
     {"grows", "blooms", "withers", "climbs"},
     {"field", "orchard", "hedge", "hillside"}},
}};

inline constexpr Word kOrdinaryEnding = "-en";
inline constexpr Word kRareEnding = "-im";

}  // namespace assay::data::words
