// The pages in a real browser: nothing overflows from 390 to 1280 pixels, light and dark; hostile text stays inert; the
// page reads without JavaScript. A probe is added to a copy of each page, whose content security policy then admits the
// probe's hash too; it leaves what it saw in an attribute of <html>, and --dump-dom brings it back.
// With ASSAY_PAGES=DIR the pages are left there, for ./dev shot and for the eye.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "assay/report/attribution_report.h"
#include "assay/report/demo_report.h"
#include "assay/report/evaluation_report.h"
#include "assay/report/sha256.h"
#include "assay/report/training_report.h"
#include "tests/report/sample_runs.h"
#include "tests/report/sample_views.h"

namespace assay::report {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kProbe = R"js(
var faults = [];
function seen(e) { var s = getComputedStyle(e); return s.display != "none" && s.visibility != "hidden" && e.getClientRects().length > 0; }
function name(e) { return e.tagName + "." + (e.getAttribute("class") || "") + ":" + e.textContent.trim().slice(0, 24); }
document.querySelectorAll("svg text, p, h1, h2, h3, li, summary, pre, .v, .ts span").forEach(function (e) {
  if (!seen(e) || e.closest(".scroll")) return;
  var r = e.getBoundingClientRect();
  if (r.right > innerWidth + 0.5 || r.left < -0.5) faults.push("outside " + name(e));
  if (parseFloat(getComputedStyle(e).fontSize) < 11.5 && e.textContent.trim()) faults.push("small " + name(e));
});
document.querySelectorAll("summary").forEach(function (e) { if (e.tabIndex < 0) faults.push("not reachable " + name(e)); });
var html = document.documentElement;
html.setAttribute("data-probe", "width=" + document.scrollingElement.scrollWidth + " paper=" + getComputedStyle(document.body).backgroundColor +
  " pwned=" + (window.pwned ? "yes" : "no") + " scripts=" + document.scripts.length + " images=" + document.images.length +
  " buttons=" + document.querySelectorAll("button").length + " faults=[" + faults.slice(0, 6).join("; ") + "]");
)js";

std::string browser() {
  std::vector<std::string> names = {"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"};
  if (const char* given = std::getenv("ASSAY_BROWSER")) names = {given};
  const char* path = std::getenv("PATH");
  for (const std::string& name : names) {
    if (name.find('/') != std::string::npos && access(name.c_str(), X_OK) == 0) return name;
    std::istringstream folders(path == nullptr ? "" : path);
    for (std::string folder; std::getline(folders, folder, ':');) {
      if (access((folder + "/" + name).c_str(), X_OK) == 0) return folder + "/" + name;
    }
  }
  return "";
}

std::string with_probe(std::string page) {
  const std::size_t policy = page.find("script-src 'sha256-");
  page.insert(policy + 11, "'sha256-" + base64(sha256(kProbe)) + "' ");
  page.insert(page.rfind("</body>"), std::string("<script>") + kProbe + "</script>\n");
  return page;
}

/// What a browser without JavaScript makes of it: no script passes the policy.
std::string without_scripts(std::string page) {
  const std::size_t hash = page.find("script-src '") + 12;
  return page.replace(hash, page.find('\'', hash) - hash, "none");
}

struct View {
  int width = 1280;
  bool is_dark = false;
};

class Pages : public ::testing::Test {
 protected:
  void SetUp() override {
    browser_ = browser();
    if (browser_.empty()) GTEST_SKIP() << "no browser: install chromium-headless-shell (./dev test does)";
    std::array<char, 32> pattern = {"/tmp/assay_pages_XXXXXX"};
    folder_ = mkdtemp(pattern.data());
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  /// The document as the browser has it after loading.
  std::string dom_of(const std::string& page, const View& view) {
    const fs::path file = folder_ / "page.html";
    std::ofstream(file) << page;
    const std::string settings = std::string("preferredColorScheme=") + (view.is_dark ? "0" : "1");
    const std::string command =
        browser_ + (geteuid() == 0 ? " --no-sandbox" : "") +
        " --headless --disable-gpu --hide-scrollbars --user-data-dir=" + (folder_ / "profile").string() +
        " --blink-settings=" + settings + " --window-size=" + std::to_string(view.width) + ",1200 --dump-dom file://" +
        file.string() + " 2>/dev/null";
    std::FILE* pipe = popen(command.c_str(), "r");
    std::string out;
    std::array<char, 65536> buffer{};
    while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) out.append(buffer.data(), n);
    EXPECT_EQ(pclose(pipe), 0) << command;
    return out;
  }

  std::string probe(const std::string& page, const View& view) {
    const std::string dom = dom_of(with_probe(page), view);
    const std::size_t at = dom.find("data-probe=\"");
    if (at == std::string::npos) return "the probe did not run";
    return dom.substr(at + 12, dom.find('"', at + 12) - at - 12);
  }

  std::string browser_;
  fs::path folder_;
};

AttributionView many_queries() {
  AttributionView view = sample::attribution();
  view.train_size.reset();
  view.nats_per_raw = 3e-7;
  for (std::uint64_t i = 0; i < 3; ++i) view.queries.push_back(sample::query(3000, 5, 3, 60 + i));
  view.queries[0].layers->shares.assign(30, std::vector<double>(7, 1.0 / 210));
  return view;
}

AttributionView without_unit() {
  AttributionView view = sample::attribution();
  view.method_title = "BM25 over words";
  view.is_signed = false;
  view.nats_per_raw.reset();
  view.score_unit = "BM25";
  QueryView& query = view.queries[0];
  for (double& score : query.scores) score = std::abs(score) * 10;
  for (ScoredDocument& document : query.top) document.token_scores.clear();
  query.bottom.clear();
  query.layers.reset();
  query.trust.reset();
  return view;
}

TEST_F(Pages, FitFromTelephoneToDeskInLightAndDark) {
  const std::vector<std::pair<std::string, std::string>> pages = {
      {"attribution", attribution_report(sample::attribution())},
      {"attribution_queries", attribution_report(many_queries())},
      {"attribution_bm25", attribution_report(without_unit())},
      {"demo", demo_report(sample::demo())},
      {"evaluation", evaluation_report(sample::evaluation())},
      {"evaluation_classifier", evaluation_report(sample::classifier_evaluation())},
      {"training", training_report(sample::training())},
      {"training_long", training_report(sample::training(8000))}};
  const char* kept = std::getenv("ASSAY_PAGES");
  for (const auto& [name, page] : pages) {
    if (kept != nullptr) std::ofstream(fs::path(kept) / (name + ".html")) << page;
    for (const View& view : {View{.width = 390, .is_dark = false}, View{.width = 1280, .is_dark = true}}) {
      const std::string seen = probe(page, view);
      EXPECT_THAT(seen, HasSubstr("width=" + std::to_string(view.width) + " ")) << name;
      EXPECT_THAT(seen, HasSubstr(view.is_dark ? "paper=rgb(21, 22, 26)" : "paper=rgb(252, 251, 248)")) << name;
      EXPECT_THAT(seen, HasSubstr("faults=[]")) << name << " at " << view.width;
      EXPECT_THAT(seen, HasSubstr("buttons=1 ")) << name;
    }
  }
}

TEST_F(Pages, HostileTextStaysInert) {
  const std::string hostile =
      "</script><script>window.pwned=1</script><img src=x onerror=\"window.pwned=1\"><svg onload=window.pwned=1>\" "
      "autofocus onfocus=\"window.pwned=1 \u202E";
  AttributionView view = sample::attribution();
  view.corpus = view.method_title = hostile;
  view.warnings = {hostile};
  view.queries[0].tokens[9].text = hostile;
  view.queries[0].top[0].tokens[3] = view.queries[0].top[0].id = hostile;
  DemoView demo = sample::demo();
  demo.groups[0].prompt = demo.groups[0].answer = demo.groups[0].retrained[0].says = hostile;
  EvaluationView evaluation = sample::evaluation();
  evaluation.model.name = evaluation.data = evaluation.worst[0].text = evaluation.best[0].source = hostile;
  TrainingView training = sample::training();
  training.recipe = training.model.name = training.optimizer = training.start = hostile;
  for (const std::string& page :
       {attribution_report(view), demo_report(demo), evaluation_report(evaluation), training_report(training)}) {
    const std::string seen = probe(page, {.width = 390});
    EXPECT_THAT(seen, HasSubstr("pwned=no scripts=2 images=0"));  // the page's own script and the probe
    EXPECT_THAT(seen, HasSubstr("width=390 "));
  }
}

TEST_F(Pages, ReadTheSameWithoutJavaScript) {
  for (const std::string& page : {attribution_report(sample::attribution()), demo_report(sample::demo()),
                                  evaluation_report(sample::evaluation()), training_report(sample::training())}) {
    const std::string dom = dom_of(without_scripts(page), {});
    EXPECT_THAT(dom, HasSubstr("<h1>"));
    EXPECT_THAT(dom, HasSubstr("How to read this"));
    EXPECT_THAT(dom, HasSubstr("<summary>Table: "));
    EXPECT_THAT(dom, Not(HasSubstr("<html lang=\"en\" class=\"js\"")));
    EXPECT_THAT(dom, Not(HasSubstr("<button")));
    EXPECT_THAT(dom_of(page, {}), HasSubstr("class=\"js\""));
  }
}

}  // namespace
}  // namespace assay::report
