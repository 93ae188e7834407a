// Batches of a narrow model, several at a time, each by one thread from its tokens to its last gradient. Between the
// short operators of such a model the threads of one batch wait for one another and for the thread that starts them, a
// fifth of the time; apart they wait only where sums are made.
//
// What a batch adds to sums waits for its turn: in the order in which it comes, and layer by layer after all earlier
// batches, one addition at a time. So the sums have the bits of one thread that walks alone, however many there are,
// and need no copies. What waits is held: the inputs and output gradients of at most as many batches as are walked.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "assay/nn/gradients.h"

namespace assay::nn {

/// Whether a batch of this model is better left to one thread: no side of its matrices, the vocabulary aside, is large.
bool is_narrow(const Model& model);

/// How many batches of this model are walked at a time: one by all threads, or, of a narrow model, one by each of few.
int64_t batches_in_flight(const Model& model);
/// How many of them are in memory at most: those that are walked, and those whose sums wait.
int64_t batches_held(const Model& model);

class BatchesInFlight {
 public:
  class Turn {
   public:
    /// The sink, called when it is this batch's turn: perhaps later, and by another thread.
    GradientSink in_turn(GradientSink sink);
    /// Whatever is added once a batch, in turn after all gradients of earlier batches.
    void once(std::function<void()> add);

   private:
    friend class BatchesInFlight;
    Turn(BatchesInFlight& flight, int64_t batch) : flight_(flight), batch_(batch) {}
    BatchesInFlight& flight_;
    int64_t batch_;
    std::vector<size_t> delivered_;  // of each layer
  };

  /// One at a time.
  BatchesInFlight() : BatchesInFlight(1, 0, 1) {}
  /// As many as suit the model. `deliveries`: gradients of a layer that a batch delivers.
  explicit BatchesInFlight(const Model& model, size_t deliveries = 1);

  /// Calls `step` with each batch from `first` to before `last`, and on the calling thread `between` from time to time
  /// with the number of the first batch that nobody has finished, about; stops when that returns false or throws.
  /// Returns where to go on: all batches before are done, none behind is begun. An error of a batch ends the walk; that
  /// of the earliest is thrown.
  int64_t walk(int64_t first, int64_t last, const std::function<void(int64_t batch, Turn& turn)>& step,
               const std::function<bool(int64_t done)>& between);

 private:
  BatchesInFlight(int64_t in_flight, size_t layers, size_t deliveries);

  struct Addition {
    std::function<void()> run;
    size_t place;
    bool is_last;  // of this batch in this place
  };
  using Waiting = std::map<int64_t, std::deque<Addition>>;  // by batch, in the order in which it brought them

  void add(int64_t batch, Addition addition);
  void add_all(std::unique_lock<std::mutex>& lock);
  Waiting::iterator next_addition();
  void fail(int64_t batch);
  bool may_add(size_t place, int64_t batch) const;
  void pass_on(size_t place);
  bool finish(int64_t batch);

  int64_t in_flight_;
  size_t deliveries_;
  std::mutex mutex_;
  std::condition_variable moved_;
  bool is_adding_ = false;                            // one thread, for all
  std::optional<std::pair<int64_t, size_t>> adding_;  // batch and place of what it adds now
  std::vector<int64_t> next_;   // of each layer, and last of what is added once: the batch whose turn it is
  std::set<int64_t> finished_;  // batches that bring nothing more
  Waiting waiting_;
  int64_t failed_ = 0;        // the earliest
  std::exception_ptr error_;  // of that
};

}  // namespace assay::nn
