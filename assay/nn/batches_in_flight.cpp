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

constexpr int64_t kNarrowModel = 256;  // beyond it the products of a batch feed all threads
constexpr int64_t kMostInFlight = 4;   // beyond it they would wait for the sums, which are made by one at a time

}  // namespace

bool is_narrow(const Model& model) {
  return model.architecture().facts().width <= kNarrowModel;
}

int64_t batches_in_flight(const Model& model) {
  const int64_t threads = at::get_num_threads();
  return is_narrow(model) && threads <= kMostInFlight ? threads : 1;
}

GradientSink BatchesInFlight::Turn::in_turn(GradientSink sink) {
  delivered_.resize(flight_.next_.size() - 1);
  return [this, sink = std::move(sink)](const FactoredGradient& gradient) {
    const auto place = static_cast<size_t>(gradient.layer);
    const bool is_last = ++delivered_[place] == flight_.deliveries_;
    flight_.add(batch_, place, {[sink, gradient] { sink(gradient); }, is_last});
  };
}

void BatchesInFlight::Turn::once(std::function<void()> add) {
  flight_.add(batch_, flight_.next_.size() - 1, {std::move(add), true});
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
        step(batch, turn);
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

void BatchesInFlight::add(int64_t batch, size_t place, Addition addition) {
  if (in_flight_ == 1) return addition.run();
  std::unique_lock lock(mutex_);
  waiting_[{place, batch}].push_back(std::move(addition));
  if (!is_adding_) add_all(lock);
}

void BatchesInFlight::add_all(std::unique_lock<std::mutex>& lock) {
  is_adding_ = true;
  const bool is_mistaken = ASSAY_TWIN("nn.batches_out_of_turn");
  const auto is_next = [&](const auto& waiting) {
    const auto& [place, batch] = waiting.first;
    return is_mistaken || (next_[place] == batch && batch < failed_);
  };
  for (auto each = std::ranges::find_if(waiting_, is_next); each != waiting_.end();
       each = std::ranges::find_if(waiting_, is_next)) {
    const auto [place, batch] = each->first;
    std::vector<Addition> additions = std::move(each->second);
    waiting_.erase(each);
    adding_ = {place, batch};
    const bool ends = additions.back().is_last;
    lock.unlock();
    try {
      for (Addition& addition : additions) addition.run();
    } catch (...) {
      fail(batch);
    }
    additions.clear();  // what they hold is large
    lock.lock();
    adding_.reset();
    if (ends || !may_add(place, batch)) pass_on(place);
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
  const std::pair key{place, batch};
  return !finished_.contains(batch) || adding_ == key || waiting_.contains(key);
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
  if (!is_adding_) add_all(lock);
  // What waits is held in memory: nobody runs further ahead than this.
  moved_.wait(lock,
              [&] { return failed_ <= batch || error_ != nullptr || std::ranges::min(next_) + in_flight_ > batch; });
  return error_ == nullptr;
}

}  // namespace assay::nn
