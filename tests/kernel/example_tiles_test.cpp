// Against products of whole gradients in float64: layers smaller than a tile, with and without a rest, few examples and
// many, odd depths, one query and more than a tile of them; float32 and bf16.
#include "assay/kernel/example_tiles.h"

#include <ATen/Parallel.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "assay/core/twin.h"
#include "assay/kernel/product_sums.h"

namespace assay::kernel {
namespace {

struct TiledCase {
  int64_t examples, positions, rows, columns;
};

const std::vector<TiledCase>& tiled_cases() {
  static const std::vector<TiledCase> cases{{5, 7, 24, 33},    {1, 1, 1, 1},      {40, 3, 64, 65},   {3, 4, 300, 512},
                                            {2, 70, 513, 130}, {17, 14, 192, 64}, {33, 5, 128, 200}, {2, 600, 65, 64}};
  return cases;
}

std::string name_of(const TiledCase& c) {
  return std::to_string(c.examples) + " of " + std::to_string(c.positions) + ", " + std::to_string(c.rows) + " x " +
         std::to_string(c.columns);
}

/// Numbers that bf16 holds, so that both types compute with the same.
at::Tensor tile_input(at::IntArrayRef shape) {
  return at::rand(shape).sub(0.5).to(at::kBFloat16).to(at::kFloat);
}

at::Tensor whole_gradients(const at::Tensor& g, const at::Tensor& a) {
  return at::bmm(g.to(at::kDouble).transpose(1, 2), a.to(at::kDouble));
}

double tile_difference(const at::Tensor& a, const at::Tensor& b) {
  return a.to(at::kDouble).sub(b).abs().max().item<double>() / b.abs().max().item<double>();
}

using AddSquares = void (*)(const at::Tensor&, const at::Tensor&, const at::Tensor&);

double error_of_tiled_squares(AddSquares add, const TiledCase& c, at::ScalarType type) {
  const at::Tensor g = tile_input({c.examples, c.positions, c.rows});
  const at::Tensor a = tile_input({c.examples, c.positions, c.columns});
  const at::Tensor wide = at::rand({c.rows, c.columns + 9}), sum = wide.narrow(1, 4, c.columns), before = sum.clone();
  const at::Tensor beside = wide.narrow(1, 0, 4).clone();
  add(sum, g.to(type), a.to(type));
  EXPECT_TRUE(wide.narrow(1, 0, 4).equal(beside));
  return tile_difference(sum, before.to(at::kDouble).add(whole_gradients(g, a).square().sum(0)));
}

double error_of_tiled_dots(const TiledCase& c, int64_t queries, at::ScalarType type) {
  const at::Tensor g = tile_input({c.examples, c.positions, c.rows});
  const at::Tensor a = tile_input({c.examples, c.positions, c.columns}), u = tile_input({queries, c.rows, c.columns});
  const at::Tensor found = QueryTiles(u).dot(g.to(type), a.to(type));
  EXPECT_EQ(found.sizes(), (std::vector<int64_t>{queries, c.examples}));
  const at::Tensor d = whole_gradients(g, a).flatten(1), exact = at::mm(u.to(at::kDouble).flatten(1), d.t());
  const double size = at::mm(u.to(at::kDouble).flatten(1).abs(), d.t().abs()).max().item<double>();
  return found.to(at::kDouble).sub(exact).abs().max().item<double>() / size;
}

std::vector<at::ScalarType> types_here() {
  std::vector<at::ScalarType> types;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor x = at::zeros({1, 1, 1}, type);
    if (can_tile(x, x)) types.push_back(type);
  }
  return types;
}

// Float32 sums of up to 600 products, squared: a few roundings of 6e-8, mostly one against the other.
constexpr double kTiledTolerance = 2e-6;

TEST(ExampleTilesTest, SquaresOfEveryExample) {
  for (const at::ScalarType type : types_here()) {
    for (const TiledCase& c : tiled_cases()) {
      EXPECT_LT(error_of_tiled_squares(add_squares_by_tiles, c, type), kTiledTolerance) << name_of(c);
    }
  }
}

TEST(ExampleTilesTest, TheDoorForAllTypesGivesTheSame) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const TiledCase& c : {TiledCase{5, 7, 24, 33}, TiledCase{2, 4, 513, 700}}) {
      EXPECT_LT(error_of_tiled_squares(add_squared_products, c, type), kTiledTolerance) << name_of(c);
    }
  }
  const ScopedTwin twin("kernel.bf16_functions_absent");
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    EXPECT_TRUE(types_here().empty());
    EXPECT_LT(error_of_tiled_squares(add_squared_products, {2, 4, 513, 700}, type), kTiledTolerance);
  }
}

TEST(ExampleTilesTest, ProductsWithOneQueryAndWithMany) {
  for (const at::ScalarType type : types_here()) {
    for (const TiledCase& c : tiled_cases()) {
      for (const int64_t queries : {1, 3, 8, 70}) {
        EXPECT_LT(error_of_tiled_dots(c, queries, type), kTiledTolerance) << name_of(c) << ", " << queries;
      }
    }
  }
}

TEST(ExampleTilesTest, AnExampleLeftOutIsCaught) {
  const ScopedTwin twin("kernel.tiles_drop_an_example");
  for (const at::ScalarType type : types_here()) {
    EXPECT_GT(error_of_tiled_squares(add_squares_by_tiles, {5, 7, 24, 33}, type), kTiledTolerance);
    EXPECT_GT(error_of_tiled_squares(add_squares_by_tiles, {3, 4, 300, 512}, type), kTiledTolerance);
  }
}

TEST(ExampleTilesTest, TilesLeftOutOfAScoreAreCaught) {
  const ScopedTwin twin("kernel.tiles_drop_a_share");
  for (const at::ScalarType type : types_here()) {
    EXPECT_GT(error_of_tiled_dots({3, 4, 300, 512}, 1, type), kTiledTolerance);
    EXPECT_GT(error_of_tiled_dots({3, 4, 300, 512}, 20, type), kTiledTolerance);
  }
}

TEST(ExampleTilesTest, TheSameBitsForAnyThreads) {
  const int threads = at::get_num_threads();
  for (const at::ScalarType type : types_here()) {
    for (const TiledCase& c : {TiledCase{40, 9, 64, 65}, TiledCase{20, 9, 300, 512}}) {
      const at::Tensor g = tile_input({c.examples, c.positions, c.rows}).to(type);
      const at::Tensor a = tile_input({c.examples, c.positions, c.columns}).to(type);
      const QueryTiles one(tile_input({1, c.rows, c.columns})), many(tile_input({20, c.rows, c.columns}));
      std::vector<std::vector<at::Tensor>> runs;
      for (const int count : {1, 2}) {
        at::set_num_threads(count);
        const at::Tensor sum = at::zeros({c.rows, c.columns});
        add_squares_by_tiles(sum, g, a);
        runs.push_back({sum, one.dot(g, a), many.dot(g, a)});
      }
      for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(runs[0][i].equal(runs[1][i])) << name_of(c) << ", " << i;
    }
  }
  at::set_num_threads(threads);
}

TEST(ExampleTilesTest, NothingAddsNothing) {
  for (const at::ScalarType type : types_here()) {
    const at::Tensor g = at::zeros({0, 3, 5}, type), a = at::zeros({0, 3, 4}, type), sum = at::zeros({5, 4});
    add_squares_by_tiles(sum, g, a);
    EXPECT_EQ(sum.abs().max().item<float>(), 0);
    EXPECT_EQ(QueryTiles(at::zeros({2, 5, 4})).dot(g, a).sizes(), (std::vector<int64_t>{2, 0}));
    const at::Tensor still = at::zeros({3, 0, 5}, type), quiet = at::zeros({3, 0, 4}, type);
    EXPECT_EQ(QueryTiles(at::zeros({2, 5, 4})).dot(still, quiet).abs().max().item<float>(), 0);
  }
}

TEST(ExampleTilesTest, StridesOfTheInputs) {
  for (const at::ScalarType type : types_here()) {
    const at::Tensor g = tile_input({6, 100, 4}).permute({2, 0, 1}), a = tile_input({4, 6, 90}).narrow(2, 7, 70);
    const at::Tensor sum = at::zeros({100, 70});
    add_squares_by_tiles(sum, g.to(type), a.to(type));
    EXPECT_LT(tile_difference(sum, whole_gradients(g, a).square().sum(0)), kTiledTolerance);
  }
}

}  // namespace
}  // namespace assay::kernel
