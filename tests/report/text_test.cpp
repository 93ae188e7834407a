// Escaping, numbers, colour steps, hashing and joined tokens: the small rules that every page rests on.
#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <limits>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/report/color_steps.h"
#include "assay/report/escape.h"
#include "assay/report/html.h"
#include "assay/report/numbers.h"
#include "assay/report/sha256.h"
#include "assay/report/split_characters.h"

namespace assay::report {
namespace {

TEST(Escape, MarkupBecomesEntitiesInContentAndAttributes) {
  const std::string hostile = R"x(</script><img src=x onerror="alert(1)">&amp;)x";
  const std::string expected = "&lt;/script&gt;&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;amp;";
  EXPECT_EQ(escape(hostile), expected);
  ScopedTwin twin("report.markup_let_through");
  EXPECT_NE(escape(hostile), expected);
}

TEST(Escape, ShowsWhatAReaderCouldNotSee) {
  EXPECT_EQ(visible("a\x01"
                    "b\x7f"),
            "a␁b␡");
  EXPECT_EQ(visible(std::string_view("\0", 1)), "␀");
  EXPECT_EQ(visible("\u202Eevil\u2066"), "⟨U+202E⟩evil⟨U+2066⟩");
  EXPECT_EQ(visible("\u200B\uFEFF\u2028"), "⟨U+200B⟩⟨U+FEFF⟩⟨U+2028⟩");
  EXPECT_EQ(visible("a\nb\tc"), "a\nb\tc");
  EXPECT_EQ(visible("a\nb\tc", Breaks::Show), "a⏎b⇥c");
  EXPECT_EQ(visible("Zoë 漢字 🙂"), "Zoë 漢字 🙂");
}

TEST(Escape, ShortensBetweenCharacters) {
  EXPECT_EQ(shortened("漢字漢字", 3), "漢字漢…");
  EXPECT_EQ(shortened("abc", 3), "abc");
  EXPECT_EQ(shortened("", 0), "");
}

TEST(Escape, BytesThatAreNotUtf8AreShownAsHex) {
  EXPECT_EQ(visible("\xff"), "⟨ff⟩");
  EXPECT_EQ(visible("\xc3"), "⟨c3⟩");                          // cut
  EXPECT_EQ(visible("\xc0\xaf"), "⟨c0⟩⟨af⟩");                  // overlong
  EXPECT_EQ(visible("\xed\xa0\x80"), "⟨ed⟩⟨a0⟩⟨80⟩");          // a surrogate
  EXPECT_EQ(visible("\xf4\x90\x80\x80"), "⟨f4⟩⟨90⟩⟨80⟩⟨80⟩");  // above U+10FFFF
  EXPECT_EQ(visible("a\xe6\xbc"
                    "b"),
            "a⟨e6⟩⟨bc⟩b");
}

TEST(Html, StringsAreEscapedAndMarkupIsNot) {
  EXPECT_EQ(html("<p>{}{}{}</p>", "a<b", std::string("&"), Html::markup("<b>c</b>")).str(),
            "<p>a&lt;b&amp;<b>c</b></p>");
  EXPECT_EQ(html("<i style=\"height:{}px\"></i>", 12).str(), "<i style=\"height:12px\"></i>");
}

TEST(Numbers, HaveATrueMinusAPlusSignAndNoNegativeZero) {
  EXPECT_EQ(fixed(-3.456, 2), "−3.46");
  EXPECT_EQ(signed_fixed(0.0121, 4), "+0.0121");
  EXPECT_EQ(signed_fixed(-0.00004, 4), "0.0000");
  EXPECT_EQ(signed_fixed(0.00004, 4), "0.0000");
  EXPECT_EQ(fixed(-0.0, 1), "0.0");
  EXPECT_EQ(fixed(1234567.5, 1), "1,234,567.5");
  EXPECT_EQ(count(412717), "412,717");
  EXPECT_EQ(count(-1000), "−1,000");
  EXPECT_EQ(count(999), "999");
  EXPECT_EQ(counted_in_digits(1, {"token", "tokens"}), "1 token");
  EXPECT_EQ(counted_in_digits(1000, {"class", "classes"}), "1,000 classes");
}

TEST(Numbers, HaveThreeSignificantDigitsInProse) {
  EXPECT_EQ(significant(0.10234), "0.102");
  EXPECT_EQ(significant(9.996), "10.0");
  EXPECT_EQ(significant(412.4), "412");
  EXPECT_EQ(significant(12345), "12,300");
  EXPECT_EQ(significant(0), "0");
  EXPECT_EQ(significant(-0.0000271, 2), "−0.000027");
  EXPECT_EQ(significant(3.2e-9, 2), "3.2 × 10⁻⁹");
  EXPECT_EQ(significant(2.9e12, 2), "2.9 × 10¹²");
  EXPECT_EQ(significant(1e5, 1), "100,000");
}

TEST(Numbers, SharesKeepTheDigitsThatTellThemFromNothingAndAll) {
  const std::string unit = "\u00A0%";
  EXPECT_EQ(percent(0.539), "54" + unit);
  EXPECT_EQ(percent(0.995), "99.5" + unit);
  EXPECT_EQ(percent(0.9990005), "99.9" + unit);
  EXPECT_EQ(percent(0.003), "0.3" + unit);
  EXPECT_EQ(percent(0.01), "1" + unit);
  EXPECT_EQ(percent(1), "100" + unit);
  EXPECT_EQ(percent(0), "0" + unit);
  EXPECT_NE(percent(0.999999), "100" + unit);
  EXPECT_NE(percent(1e-12), "0" + unit);
}

TEST(Numbers, PairsOfProbabilitiesAreToldApart) {
  const PercentPair far = percent_pair(0.5395, 0.533);
  EXPECT_EQ(far.first, "53.95");
  EXPECT_EQ(far.second, "53.30");
  const PercentPair near = percent_pair(0.5395, 0.5394992);
  EXPECT_TRUE(near.differs);
  EXPECT_FALSE(percent_pair(0.5, 0.5).differs);
}

TEST(Numbers, SmallCountsAreWords) {
  EXPECT_EQ(capitalised(counted(11, {"story", "stories"})), "Eleven stories");
  EXPECT_EQ(counted(1, {"story", "stories"}), "one story");
  EXPECT_EQ(counted(1000, {"story", "stories"}), "1,000 stories");
  EXPECT_EQ(fraction_in_words(0.41), "two fifths");
  EXPECT_EQ(fraction_in_words(0.999), "");
}

TEST(Numbers, IntervalsUnitsAndTicksFollowTheDesign) {
  EXPECT_EQ(interval({0.80, 0.75, 0.85}, 2), "[0.75, 0.85]");
  EXPECT_EQ(score_unit(0.0121, "nats").with_name(0.0121), "+0.0121 nats");
  EXPECT_EQ(score_unit(3.3e-5, "nats").with_name(3.3e-5), "+33.0 × 10⁻⁶ nats");
  EXPECT_EQ(score_unit(42.5, "BM25").with_name(42.5), "+42.5 BM25");
  EXPECT_EQ(score_unit(0, "nats").with_name(0), "0 nats");
  EXPECT_EQ(unit_in_words(2.5e-3, "a nat", "nats").name, "thousandths of a nat");
  EXPECT_EQ(unit_in_words(2.5e-4, "a nat", "nats").name, "millionths of a nat");
  EXPECT_EQ(unit_in_words(3, "a nat", "nats").name, "nats");
  EXPECT_EQ(tick_label(-0.5), "−0.5");
  EXPECT_EQ(tick_label(0.25), "+0.25");
  EXPECT_EQ(tick_label(0), "0");
}

TEST(Numbers, NotFiniteIsRefused) {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_THROW((void)fixed(bad, 2), Error);
    EXPECT_THROW((void)significant(bad), Error);
    EXPECT_THROW((void)percent(bad), Error);
    EXPECT_THROW((void)SignedSteps::per_token(bad), Error);
  }
}

TEST(Numbers, DoNotDependOnTheLocale) {
  const std::string before = fixed(1234.5, 2) + significant(0.25) + percent(0.123, 1);
  for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "C.UTF-8"}) {
    if (std::setlocale(LC_ALL, name) != nullptr) break;
  }
  EXPECT_EQ(fixed(1234.5, 2) + significant(0.25) + percent(0.123, 1), before);
  std::setlocale(LC_ALL, "C");
}

TEST(ColourSteps, CountTheThresholdsThatASizeReaches) {
  const SignedSteps steps = SignedSteps::per_token(0.0082);
  EXPECT_DOUBLE_EQ(steps.thresholds()[3], 2.5e-3);
  EXPECT_EQ(steps.css_class(0.0082), "p4");
  EXPECT_EQ(steps.css_class(0.0005), "p3");
  EXPECT_EQ(steps.css_class(-0.0001), "n2");
  EXPECT_EQ(steps.css_class(0.000019), "");
  EXPECT_EQ(steps.css_class(0), "");
}

TEST(ColourSteps, TheLargestShownValueReachesTheLastStep) {
  for (double largest = 1e-12; largest < 1e6; largest *= 1.7) {
    const SignedSteps steps = SignedSteps::per_token(largest);
    EXPECT_EQ(steps.step(largest), 4) << largest;
    EXPECT_GT(10 * steps.thresholds()[3], largest * (1 - 1e-9)) << "a coarser scale would do as well";
  }
  EXPECT_EQ(SignedSteps::per_token(0).css_class(0), "");
}

TEST(ColourSteps, BlueSupportsAndOrangeOpposes) {
  const SignedSteps steps = SignedSteps::shares();
  const auto holds = [&] { return steps.css_class(0.05) == "p3" && steps.css_class(-0.05) == "n3"; };
  EXPECT_TRUE(holds());
  ScopedTwin twin("report.sign_swapped");
  EXPECT_FALSE(holds());
}

TEST(ColourSteps, SurpriseIsGrey) {
  EXPECT_EQ(surprise_class(0), "s1");
  EXPECT_EQ(surprise_class(0.01), "s2");
  EXPECT_EQ(surprise_class(0.07), "s3");
  EXPECT_EQ(surprise_class(0.2), "s4");
  EXPECT_EQ(surprise_class(4), "s5");
}

TEST(Sha256, AgreesWithThePublishedVectors) {
  EXPECT_EQ(base64(sha256("")), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  EXPECT_EQ(base64(sha256("abc")), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
  EXPECT_EQ(base64(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "JI1qYdIGOLjlwCaTDD5gOaM85Flk/yFn9uzt1BnbBsE=");
  EXPECT_EQ(base64(sha256(std::string(1000000, 'a'))), "zcduXJkU+5KBocfihNc+Z/GAmkiklyAOBG05zMcRLNA=");
}

TEST(SplitCharacters, TokensThatEndInsideACharacterAreJoinedAndTheirValuesAdded) {
  const ValuedTokens merged =
      merge_split_characters({" caf", "\xc3", "\xa9", " \xf0\x9f", "\x99", "\x82", "!"}, {1, 2, 3, 4, 5, 6, 7});
  EXPECT_EQ(merged.tokens, (std::vector<std::string>{" caf", "é", " 🙂", "!"}));
  EXPECT_EQ(merged.values, (std::vector<double>{1, 5, 15, 7}));
}

TEST(SplitCharacters, BrokenBytesStayApart) {
  const std::vector<std::string> tokens = {"a", "\xc3", "b", "\xff", "\xa9"};
  EXPECT_EQ(merge_split_characters(tokens, {}).tokens, tokens);
  EXPECT_TRUE(merge_split_characters({}, {}).tokens.empty());
}

TEST(SplitCharacters, ATokenMayEndOneCharacterAndBeginTheNext) {
  const ValuedTokens merged = merge_split_characters({"\xe6\xbc", "\xa2\xe5", "\xad\x97"}, {1, 1, 1});
  EXPECT_EQ(merged.tokens, std::vector<std::string>{"漢字"});
  EXPECT_EQ(merged.values, std::vector<double>{3});
}

}  // namespace
}  // namespace assay::report
