// Damping: what is added to the eigenvalues of a layer's curvature before they are inverted. An argument of every
// solve, never a state of the factors: the same factors serve every damping.
#pragma once

namespace assay::curvature {

struct Damping {
  enum class Kind { Relative, Absolute };

  Kind kind = Kind::Relative;
  double value = 0.1;

  /// `share` times the mean eigenvalue of each layer (0.1 in Grosse et al. 2023).
  static constexpr Damping relative(double share) { return {Kind::Relative, share}; }
  /// The same number in every layer, in the unit of the eigenvalues.
  static constexpr Damping absolute(double value) { return {Kind::Absolute, value}; }
  static constexpr Damping none() { return absolute(0); }

  /// What is added in a layer whose eigenvalues have this mean.
  constexpr double in_layer(double mean_eigenvalue) const {
    return kind == Kind::Relative ? value * mean_eigenvalue : value;
  }
};

}  // namespace assay::curvature
