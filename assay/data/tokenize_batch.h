// Many texts as tokens, on all threads. What a text becomes depends on nothing but the text, so threads change no bit.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "assay/data/tokenizer.h"

namespace assay::data {

/// The ids of each text, without BOS, in the order of the texts. Errors as Tokenizer::encode.
std::vector<std::vector<int32_t>> tokenize_batch(const Tokenizer& tokenizer, std::span<const std::string> texts);

}  // namespace assay::data
