// assay attribute: which documents push the model to say it.
#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <optional>

#include "assay/attribute/methods_options.h"
#include "assay/core/machine.h"
#include "assay/io/safetensors.h"
#include "assay/io/tensor.h"
#include "assay/report/attribution_report.h"
#include "cli/attribution_view.h"
#include "cli/batch_check.h"
#include "cli/planning.h"
#include "cli/result.h"
#include "cli/result_folder.h"
#include "cli/store_results.h"

namespace assay::cli {
namespace {

using nlohmann::ordered_json;

void write_arrays(const ResultFolder& folder, const AttributionInputs& inputs, const Attribution& found,
                  const AttributeOptions& options, const ordered_json& result) {
  io::Arrays arrays;
  const auto add = [&](const char* name, const at::Tensor& values) {
    if (values.defined()) arrays[name] = io::from_tensor(values.to(at::kFloat).contiguous());
  };
  if (!found.store || options.all_scores || options.grouping != Grouping::None) add("scores", found.scores.total);
  if (found.store) add_store_arrays(arrays, found);
  if (inputs.whole) arrays["rows"] = io::make_array({std::ssize(inputs.filtered.rows)}, inputs.filtered.rows);
  add("per_token", found.scores.per_token);
  add("per_layer", found.scores.per_layer);
  add("self_influence", found.scores.self_influence);
  io::write_safetensors(folder.file("scores.safetensors"), arrays,
                        {{"method", result["method"].get<std::string>()},
                         {"measure", result["measure"].get<std::string>()},
                         {"sign", result["sign"].get<std::string>()},
                         {"unit", result["unit"].get<std::string>()}});
}

}  // namespace

void run(const AttributeOptions& options, Session& session) {
  const AttributionInputs inputs = load_attribution(options, session.progress);
  Plan plan = plan_attribution(inputs, options);
  const attribute::Inputs given = method_inputs(inputs, options);
  const bool checks_batches =
      attribute::uses_gradients(inputs.method) && plan_batch_check(options.check_batches, plan, given);
  if (stops_at_plan(session, plan, shorter_by_limit(plan, inputs.dataset().size()))) return;

  std::optional<ResultFolder> folder;
  if (!options.common.out.empty()) folder.emplace(options.common.out, session.invocation, identity_of(inputs, options));
  reset_peak_resident();  // what measuring the machine took is not the job's
  const auto started = std::chrono::steady_clock::now();
  const auto check = checks_batches ? checked_batches(given, session.progress) : std::nullopt;
  const Attribution found =
      attribute_documents(inputs, options, folder ? folder->file(kUnfinished) : "", session.progress);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();

  ordered_json result = attribution_json(inputs, found, options, session);
  if (check) result["batch_check"] = batch_check_json(*check);
  if (folder) {
    write_arrays(*folder, inputs, found, options, result);
    folder->write("report.html",
                  report::attribution_report(attribution_view(inputs, found, options, session, plan, seconds)));
  }
  result["cost"] = cost_report(plan, seconds, folder ? folder->bytes() : 0);
  if (folder) {
    folder->write_result(result);  // last: its presence says that the run has finished
    std::filesystem::remove_all(folder->file(kUnfinished));
  }
  if (options.common.json) return print_json(result);
  fmt::print("{}", attribution_table(inputs, found, options));
  if (folder) fmt::print("\nReport: {}\n", folder->file("report.html"));
}

}  // namespace assay::cli
