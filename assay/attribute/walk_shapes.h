// What a walk over documents depends on, counted from shapes, and what its passes through the model cost: the parts
// that plans of scores and plans of indexes share.
#pragma once

#include "assay/attribute/scorer.h"
#include "assay/core/plan.h"

namespace assay::attribute {

constexpr double kOperatorsPerBlock = 70;  ///< calls of operators in forward and backward of one block
constexpr double kOperatorsPerLayer = 8;   ///< of one captured pair, whatever is done with it

/// Everything that the costs depend on.
struct WalkShapes {
  double positions = 0, batches = 0, widest_batch = 0;  ///< padding included
  double walked = 1;                                    ///< batches at a time
  double waiting = 0;                                   ///< numbers a position of a batch whose sums wait: its pairs
  double pairs = 0;                                     ///< of a query and a key that it sees, in all documents
  double weights = 0;                                   ///< multiply-adds of one forward pass a position
  double tracked = 0;                                   ///< Σ O·M
  double narrow = 0;                                    ///< Σ min(O, M)
  double squares_in = 0, squares_out = 0;               ///< Σ M² of distinct inputs, Σ O²
  double cubes = 0;             ///< Σ M³ + O³ of what is decomposed; twice where that is in float64
  double solves = 0;            ///< Σ 2·O·M·(O + M): into the eigenbasis and out again
  double query_positions = 0;   ///< of all queries
  double longest = 0;           ///< document
  double largest_gradient = 0;  ///< max O·M
  int64_t largest_side = 0;     ///< max of O and M
  double blocks = 0, layers = 0, element_bytes = 4;
  double parameter_bytes = 0;  ///< of one number for each weight, as gradients have
  double examples = 0, queries = 0;
  double activations = 0;   ///< numbers kept a position
  double attention = 0;     ///< operations of products of all heads and blocks for a pair of positions, never held
  double exponentials = 0;  ///< and those of their softmax, in float32 whatever the model
  double head_bytes = 0;    ///< held while the vocabulary is gone through
  double head = 0;          ///< operations of a large vocabulary's head, forward and back, a position
  double remembered = 0;    ///< positions whose head walks after the first need not go through again
  double remembered_bytes = 0;
  double resident = 0;                ///< bytes that are there before it begins: LibTorch, the weights, the documents
  at::ScalarType dtype = at::kFloat;  ///< of sums
  bool is_bf16 = false;  ///< products of passes and of gradients, but not those with gradients kept in float32
};

/// Where a stage counts products in the type in which the model multiplies.
double& products_of(const WalkShapes& shapes, Cost& cost);

/// documents: those that are walked; queries: the first so many of the inputs'.
WalkShapes shapes_of(const Inputs& inputs, const data::Dataset& documents, int64_t queries);

/// Forward and the half of backward that carries gradients down, over all documents.
Cost gradient_walk(const WalkShapes& shapes);

}  // namespace assay::attribute
