// The makers of the methods, one file each; make_scorer.cpp holds their table. To add one: a file here, a line there, a
// line in methods_options.cpp, a test and a page.
#pragma once

#include <memory>

#include "assay/attribute/gradient_scorer.h"
#include "assay/attribute/methods_options.h"
#include "assay/attribute/scorer.h"
#include "assay/core/factory.h"

namespace assay::attribute {

std::unique_ptr<Scorer> make_influence(const FactoryCall& call, const Inputs& inputs, Progress& progress);
std::unique_ptr<Scorer> make_relatif(const FactoryCall& call, const Inputs& inputs, Progress& progress);
std::unique_ptr<Scorer> make_identity(const FactoryCall& call, const Inputs& inputs, Progress& progress);
std::unique_ptr<Scorer> make_cosine(const FactoryCall& call, const Inputs& inputs, Progress& progress);
std::unique_ptr<Scorer> make_logra(const FactoryCall& call, const Inputs& inputs, Progress& progress);
std::unique_ptr<Scorer> make_representation(const FactoryCall& call, const Inputs& inputs, Progress& progress);
std::unique_ptr<Scorer> make_bm25(const FactoryCall& call, const Inputs& inputs, Progress& progress);
std::unique_ptr<Scorer> make_random(const FactoryCall& call, const Inputs& inputs, Progress& progress);

}  // namespace assay::attribute
