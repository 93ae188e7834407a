// Every sentence of the demo's page, filled by the numbers and chosen by rule. Where a simpler method does as well,
// where the proof fails, where nothing was found, the sentences say so. For editors: the words stand together in the
// .cpp.
#pragma once

#include <string>
#include <vector>

#include "assay/report/demo_report.h"
#include "assay/report/html.h"
#include "assay/report/page.h"

namespace assay::report {

/// Models were trained again without the top documents: there is a proof to show.
bool is_trained_again(const DemoView& view);

std::string group_name(DemoKind kind);   ///< "A fact"
std::string groups_name(DemoKind kind);  ///< "Facts"

std::string demo_headline(const DemoView& view);
Html demo_deck(const DemoView& view);
std::vector<std::string> demo_facts(const DemoView& view);

std::string group_finding(const DemoGroup& group);
std::string group_caption(const DemoGroup& group);
/// Simpler methods that find as much as ours over the whole group, top and bottom, by name; "" where none does.
std::string simpler_methods(const DemoGroup& group);

/// "trained on everything", "without 214 random", "without the top 214".
std::string training_set_name(const DemoRetrained& row);
std::string removal_finding(const DemoView& view);
Html removal_note(const DemoView& view);
/// The group's mean change by the removal of its top documents, if that was done.
const DemoRetrained* retrained_on(const DemoGroup& group, TrainingSet set);

std::string said_finding(const DemoView& view);
std::string scatter_finding(const DemoView& view);
std::string scatter_sentence(const DemoGroup& group);

std::vector<ReadingLine> demo_reading_lines(const DemoView& view);

}  // namespace assay::report
