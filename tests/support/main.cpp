// The main of every test program. LibTorch seeds its generator from the system's entropy, so that a test that draws
// would be another test each time: here each begins from one seed, whichever tests ran before it.
#include <ATen/Context.h>
#include <gtest/gtest.h>

namespace {

class OneSeed : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override { at::manual_seed(0); }
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::UnitTest::GetInstance()->listeners().Append(new OneSeed);  // owned by the list
  return RUN_ALL_TESTS();
}
