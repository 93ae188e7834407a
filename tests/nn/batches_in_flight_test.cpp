// Batches walked by several threads add to sums in the order of one thread, stop where they can be taken up again, and
// fail with the error that one thread would have met first.
#include "assay/nn/batches_in_flight.h"

#include <ATen/Parallel.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "tests/support/threads.h"
#include "tests/support/toy.h"

namespace assay::nn {
namespace {

bool always(int64_t) {
  return true;
}

/// The order in which eight batches add, where each even one lets the odd one behind it come first, if it can.
std::vector<int64_t> order_of_additions(const Model& model) {
  BatchesInFlight flight(model);
  std::vector<int64_t> order;
  std::atomic<int64_t> reached{-1};
  const auto step = [&](int64_t batch, BatchesInFlight::Turn& turn) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
    while (batch % 2 == 0 && reached != batch + 1 && std::chrono::steady_clock::now() < deadline)
      std::this_thread::yield();
    turn.once([&order, batch] { order.push_back(batch); });
    reached = batch;
  };
  flight.walk(0, 8, step, always);
  return order;
}

TEST(BatchesInFlight, AddInTheOrderOfTheBatches) {
  if (at::get_num_threads() < 2) GTEST_SKIP() << "one thread walks alone";
  const Model model = toy_llama();
  ASSERT_GT(batches_in_flight(model), 1);
  const std::vector<int64_t> expected{0, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_EQ(order_of_additions(model), expected);
#ifndef __clang__  // whose builds are serial: CMakeLists.txt
  const ScopedTwin twin("nn.batches_out_of_turn");
  EXPECT_NE(order_of_additions(model), expected);
#endif
}

/// Sums of the gradients of each layer over all batches, and of each batch over all layers.
std::vector<at::Tensor> summed_gradients(const Model& model, const data::Dataset& texts) {
  const std::vector<LayerId> layers = model.architecture().match_layers("blocks.*");
  std::vector<at::Tensor> sums(model.architecture().layers().size());
  std::vector<double> of_batch(static_cast<size_t>(texts.size() / 2));
  BatchesInFlight flight(model, 2);
  const auto step = [&](int64_t batch, BatchesInFlight::Turn& turn) {
    const std::vector<int64_t> rows{2 * batch, 2 * batch + 1};
    const data::Batch texts_of_batch = data::make_batch(texts, rows, model.dtype());
    for (const Measurement& labels : {loss(), sampled_label_loss(7)}) {
      stream_gradients(model, texts_of_batch, labels, layers,
                       turn.in_turn([&, batch](const FactoredGradient& gradient) {
                         at::Tensor& sum = sums[static_cast<size_t>(gradient.layer)];
                         const at::Tensor more = gradient.dense().sum(0);
                         sum = sum.defined() ? sum.add(more) : more;
                         of_batch[static_cast<size_t>(batch)] += more.sum().item<double>();
                       }));
    }
  };
  EXPECT_EQ(flight.walk(0, texts.size() / 2, step, always), texts.size() / 2);
  sums.push_back(at::tensor(of_batch));
  return sums;
}

TEST(BatchesInFlight, GiveTheBitsOfOneThread) {
  const Model model = toy_llama();
  const data::Dataset texts = toy_texts(24, 5, 30, 3);
  const auto alone = [&] {
    const ScopedThreads one(1);
    return summed_gradients(model, texts);
  }();
  for (int turn = 0; turn < 10; ++turn) {  // who meets whom is chance
    const auto together = summed_gradients(model, texts);
    for (size_t i = 0; i < alone.size(); ++i) {
      if (alone[i].defined()) {
        EXPECT_TRUE(together[i].equal(alone[i])) << i;
      }
    }
  }
}

TEST(BatchesInFlight, StopWhereTheyCanBeTakenUp) {
  BatchesInFlight flight(toy_llama());
  std::vector<int64_t> order;
  const auto step = [&](int64_t batch, BatchesInFlight::Turn& turn) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // so that each thread comes to some
    turn.once([&order, batch] { order.push_back(batch); });
  };
  int64_t done = flight.walk(0, 40, step, [](int64_t so_far) { return so_far < 10; });
  EXPECT_GE(done, 10);
  EXPECT_EQ(std::ssize(order), done);
  EXPECT_EQ(flight.walk(done, 40, step, always), 40);
  for (int64_t i = 0; i < 40; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
  EXPECT_THROW(flight.walk(0, 40, step, [](int64_t) -> bool { throw Error(ErrorKind::Interrupted, "stopped"); }),
               Error);
}

TEST(BatchesInFlight, FailWithTheEarliestError) {
  BatchesInFlight flight(toy_llama());
  for (int turn = 0; turn < 20; ++turn) {
    std::vector<int64_t> order;
    const auto step = [&](int64_t batch, BatchesInFlight::Turn& of_batch) {
      if (batch == 6) std::this_thread::sleep_for(std::chrono::milliseconds(2));  // so that the next fails before
      if (batch >= 6) throw Error(ErrorKind::Numeric, std::to_string(batch));
      of_batch.once([&order, batch] { order.push_back(batch); });
    };
    try {
      flight.walk(0, 12, step, always);
      FAIL();
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), "6");
    }
    EXPECT_LE(std::ssize(order), 6);
  }
}

TEST(BatchesInFlight, AnErrorOfASumIsTheBatchs) {
  BatchesInFlight flight(toy_llama());
  const auto step = [&](int64_t batch, BatchesInFlight::Turn& turn) {
    turn.once([batch] {
      if (batch >= 3) throw Error(ErrorKind::Numeric, std::to_string(batch));
    });
  };
  try {
    flight.walk(0, 9, step, always);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "3");
  }
}

}  // namespace
}  // namespace assay::nn
