#include "assay/core/error.h"

#include <gtest/gtest.h>

#include "assay/core/near_match.h"

namespace assay {
namespace {

TEST(Error, KindIsTheExitCode) {
  EXPECT_EQ(Error(ErrorKind::Usage, "x").exit_code(), 2);
  EXPECT_EQ(Error(ErrorKind::Interrupted, "x").exit_code(), 130);
}

TEST(NearMatch, OffersTheNearestNamesAndNothingWhenNoneIsNear) {
  const std::vector<std::string> names{"ekfac", "kfac", "diagonal", "identity"};
  EXPECT_EQ(nearest_names("ekfca", names).front(), "ekfac");
  EXPECT_EQ(closest_clause("diagnoal", names), "; closest: \"diagonal\"");
  EXPECT_EQ(closest_clause("zzzzzzz", names), "");
}

}  // namespace
}  // namespace assay
