// The demo as a user runs it: what it scored, `assay attribute` scores again from the files it left.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "assay/io/safetensors.h"
#include "tests/support/temporary_folder.h"

namespace assay {
namespace {

int shell(const std::string& command) {
  return std::system((command + " >/dev/null").c_str());
}

std::vector<std::byte> scores_in(const std::string& path, const std::string& name) {
  const io::Safetensors file = io::read_safetensors(path, ErrorKind::Data);
  const auto bytes = file.tensors.at(name).bytes;
  return {bytes.begin(), bytes.end()};
}

nlohmann::json result_of(const std::string& folder) {
  return nlohmann::json::parse(std::ifstream(folder + "/result.json"));
}

TEST(Demo, AttributeOnItsFilesGivesTheSameBits) {
  const TemporaryFolder folder;
  const std::string demo = folder / "demo", again = folder / "again";
  const std::string program = std::string("ASSAY_CACHE='") + (folder / "cache") + "' '" ASSAY_BINARY "' ";
  ASSERT_EQ(shell(program + "demo --no-retrain --quiet --seed 3 --out '" + demo + "'"), 0);
  const nlohmann::json result = result_of(demo);

  const std::string printed = result["attribute_command"];
  const std::string command = printed.substr(printed.find(' ') + 1, printed.rfind(" --out") - printed.find(' ') - 1);
  for (const std::string method : {"ekfac", "relatif", "identity", "cosine", "representation", "bm25(unit=words)",
                                   "bm25(unit=tokens)", "random"}) {
    const std::string out = again + "-" + method;
    const std::string cold =
        method == "ekfac" ? " --cache '" + (folder / "other") + "'" : "";  // fitted anew, not found
    ASSERT_EQ(shell(program + command + " --quiet --method '" + method + "'" + cold + " --out '" + out + "'"), 0);
    std::string name = "scores";
    if (method != "ekfac") name += "." + result_of(out)["method"].get<std::string>();
    EXPECT_TRUE(scores_in(out + "/scores.safetensors", "scores") == scores_in(demo + "/scores.safetensors", name))
        << method;
  }
}

TEST(Demo, RunAgainItUsesWhatIsThereAndSaysTheSame) {
  const TemporaryFolder folder;
  const std::string program = std::string("ASSAY_CACHE='") + (folder / "cache") + "' '" ASSAY_BINARY "' ";
  const std::string said = folder / "said.txt";
  const std::string command = program + "demo --no-retrain --seed 4 --out '" + (folder / "demo") + "' 2>'" + said + "'";
  ASSERT_EQ(shell(command), 0);
  const nlohmann::json first = result_of(folder / "demo");
  const auto trained_at = [&] {
    return std::filesystem::last_write_time(folder / "demo/models/everything-0/model.safetensors");
  };
  const auto before = trained_at();
  ASSERT_EQ(shell(command), 0);
  EXPECT_EQ(trained_at(), before) << "nothing is trained twice";
  std::stringstream lines;
  lines << std::ifstream(said).rdbuf();
  EXPECT_NE(lines.str().find("covariances: reused"), std::string::npos) << "nothing is fitted twice\n" << lines.str();
  EXPECT_EQ(result_of(folder / "demo")["groups"], first["groups"]);
}

}  // namespace
}  // namespace assay
