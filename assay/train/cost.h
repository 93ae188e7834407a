// What a training run will cost, counted from shapes: 6 operations a parameter and position for forward and backward
// (the attention's products are left out: they are small where texts are short), a fixed number of operator calls a
// block and step, which rules small models, and the optimizer's passes over its state.
#pragma once

#include "assay/core/plan.h"
#include "assay/train/loop.h"

namespace assay::train {

/// Time, memory and disk of `trainer`'s whole run; checkpoints as its options say.
Cost training_cost(const Trainer& trainer);

}  // namespace assay::train
