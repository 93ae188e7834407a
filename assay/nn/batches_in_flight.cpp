#include "assay/nn/batches_in_flight.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "assay/core/error.h"
#include "assay/core/twin.h"

namespace assay::nn {
namespace {

constexpr int64_t kNarrowSide = 256;  // of a matrix; beyond it the products of a batch feed all threads
constexpr int64_t kMostInFlight = 4;  // beyond it they would wait for the sums, which are made by one at a time

}  // namespace

bool is_narrow(const Model& model) {
  const Architecture& architecture = model.architecture();
  const Facts facts = architecture.facts();
  int64_t largest = std::max(facts.features, facts.mlp_width);
  for (const Layer& layer : architecture.layers()) {
    for (const int64_t side : architecture.parameters().at(static_cast<size_t>(layer.weight)).shape)
      if (side != facts.vocabulary) largest = std::max(largest, side);
  }
  return largest <= kNarrowSide;
}

int64_t batches_in_flight(const Model& model) {
  const int64_t threads = at::get_num_threads();
  return is_narrow(model) && threads <= kMostInFlight ? threads : 1;
}

int64_t batches_held(const Model& model) {
  return 2 * batches_in_flight(model) - 1;
}

GradientSink BatchesInFlight::Turn::in_turn(GradientSink sink) {
  delivered_.resize(flight_.next_.size() - 1);
  return [this, sink = std::move(sink)](const FactoredGradient& gradient) {
    const auto place = static_cast<size_t>(gradient.layer);
    const bool is_last = ++delivered_[place] == flight_.deliveries_;
    flight_.add(batch_, {[sink, gradient] { sink(gradient); }, place, is_last});
  };
}

void BatchesInFlight::Turn::once(std::function<void()> add) {
  flight_.add(batch_, {std::move(add), flight_.next_.size() - 1, true});
}

BatchesInFlight::BatchesInFlight(int64_t in_flight, size_t layers, size_t deliveries)
    : in_flight_(in_flight), deliveries_(deliveries), next_(layers + 1) {}

BatchesInFlight::BatchesInFlight(const Model& model, size_t deliveries)
    : BatchesInFlight(batches_in_flight(model), model.architecture().layers().size(), deliveries) {}

int64_t BatchesInFlight::walk(int64_t first, int64_t last, const std::function<void(int64_t batch, Turn& turn)>& step,
                              const std::function<bool(int64_t done)>& between) {
  std::ranges::fill(next_, first);
  finished_.clear();
  error_ = nullptr;
  failed_ = last;
  std::atomic<int64_t> taken{first}, done{first};
  std::atomic<bool> stops{false};
  std::exception_ptr of_between;
  const auto walk_alone = [&](bool is_caller) {
    const at::NoGradGuard no_history;  // the guard belongs to a thread
    while (!stops) {
      const int64_t batch = taken++;
      if (batch >= last) return;
      try {
        Turn turn(*this, batch);
        const bool is_lost = batch % in_flight_ == 1 && ASSAY_TWIN("nn.batches_of_a_second_thread_lost");
        if (!is_lost) step(batch, turn);
      } catch (...) {
        fail(batch);
      }
      if (!finish(batch)) stops = true;
      ++done;
      if (!is_caller || stops) continue;
      try {
        if (!between(done)) stops = true;
      } catch (...) {
        of_between = std::current_exception();
        stops = true;
      }
    }
  };
  if (in_flight_ == 1) {
    walk_alone(true);
  } else {
    at::parallel_for(0, in_flight_, 1, [&](int64_t begin, int64_t end) {
      for (int64_t thread = begin; thread < end; ++thread) walk_alone(thread == 0);
    });
  }
  ASSAY_ASSERT(waiting_.empty() || error_);
  waiting_.clear();
  for (const std::exception_ptr& thrown : {error_, of_between})
    if (thrown) std::rethrow_exception(thrown);
  return done;
}

void BatchesInFlight::add(int64_t batch, Addition addition) {
  if (in_flight_ == 1) return addition.run();
  std::unique_lock lock(mutex_);
  waiting_[batch].push_back(std::move(addition));
  if (!is_adding_) add_all(lock);
}

/// Where the next addition waits: at the front of the queue of its batch, and in its place it is that batch's turn.
BatchesInFlight::Waiting::iterator BatchesInFlight::next_addition() {
  const bool is_mistaken = ASSAY_TWIN("nn.batches_out_of_turn");
  return std::ranges::find_if(waiting_, [&](const auto& queue) {
    const auto& [batch, additions] = queue;
    return batch < failed_ && (is_mistaken || next_[additions.front().place] == batch);
  });
}

void BatchesInFlight::add_all(std::unique_lock<std::mutex>& lock) {
  is_adding_ = true;
  for (auto queue = next_addition(); queue != waiting_.end(); queue = next_addition()) {
    const int64_t batch = queue->first;
    adding_ = std::pair{batch, queue->second.front().place};
    {
      const Addition addition = std::move(queue->second.front());
      queue->second.pop_front();
      if (queue->second.empty()) waiting_.erase(queue);
      lock.unlock();
      try {
        addition.run();
      } catch (...) {
        fail(batch);
      }
      lock.lock();
      adding_.reset();
      if (addition.is_last || !may_add(addition.place, batch)) pass_on(addition.place);
    }
    moved_.notify_all();
  }
  is_adding_ = false;
  moved_.notify_all();
}

void BatchesInFlight::fail(int64_t batch) {
  const std::lock_guard lock(mutex_);
  if (batch < failed_) error_ = std::current_exception();
  failed_ = std::min(failed_, batch);
}

bool BatchesInFlight::may_add(size_t place, int64_t batch) const {
  if (!finished_.contains(batch) || adding_ == std::pair{batch, place}) return true;
  const auto queue = waiting_.find(batch);
  return queue != waiting_.end() && std::ranges::find(queue->second, place, &Addition::place) != queue->second.end();
}

/// The turn goes to the next batch that may still add something.
void BatchesInFlight::pass_on(size_t place) {
  do {
    ++next_[place];
  } while (!may_add(place, next_[place]));
}

bool BatchesInFlight::finish(int64_t batch) {
  if (in_flight_ == 1) return error_ == nullptr;
  std::unique_lock lock(mutex_);
  finished_.insert(batch);
  for (size_t place = 0; place < next_.size(); ++place)
    if (next_[place] == batch && !may_add(place, batch)) pass_on(place);
  finished_.erase(finished_.begin(), finished_.lower_bound(std::ranges::min(next_)));
  if (!is_adding_) add_all(lock);
  // What waits is held in memory: nobody runs further ahead than this.
  moved_.wait(lock,
              [&] { return failed_ <= batch || error_ != nullptr || std::ranges::min(next_) + in_flight_ > batch; });
  return error_ == nullptr;
}

}  // namespace assay::nn
