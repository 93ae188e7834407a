#include "assay/core/log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "assay/core/group.h"

namespace assay {
namespace {

TEST(Log, LinesGoToTheSinkForItsLife) {
  std::vector<std::string> lines;
  {
    const ScopedLogSink sink([&lines](LogLevel, std::string_view line) { lines.emplace_back(line); });
    log(LogLevel::Warning, "kept");
  }
  log(LogLevel::Warning, "elsewhere");
  EXPECT_EQ(lines, std::vector<std::string>{"kept"});
}

TEST(Group, OfOneProcessChangesNothing) {
  std::vector<float> values{1.f, 2.f};
  self_group().all_reduce_sum(std::span(values));
  EXPECT_EQ(values, (std::vector<float>{1.f, 2.f}));
  EXPECT_EQ(self_group().size(), 1);
  const std::vector<std::byte> bytes{std::byte{7}};
  EXPECT_EQ(self_group().gather(bytes), std::vector<std::vector<std::byte>>{bytes});
}

}  // namespace
}  // namespace assay
