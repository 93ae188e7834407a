#include "assay/report/page.h"

#include <algorithm>

#include "assay/report/numbers.h"
#include "assay/report/sha256.h"
#include "assay/report/style.h"

namespace assay::report {
namespace {

constexpr std::string_view kScript = R"js(
document.documentElement.classList.add("js");
document.querySelectorAll("[data-copy]").forEach(function(p){var b=document.createElement("button");b.textContent="Copy";b.className="cp";b.onclick=function(){navigator.clipboard.writeText(p.textContent.replace(/\\\n\s*/g,"")).then(function(){b.textContent="Copied";setTimeout(function(){b.textContent="Copy"},1500)})};p.parentNode.insertBefore(b,p.nextSibling)});
function on(e){var t=e.target.closest&&e.target.closest("[data-d]");document.querySelectorAll(".on").forEach(function(x){x.classList.remove("on")});if(t)document.querySelectorAll('[data-d="'+t.dataset.d+'"]').forEach(function(x){x.classList.add("on")})}
document.addEventListener("mouseover",on);document.addEventListener("focusin",on);
)js";

/// The octagon of an assay mark with an A in it.
constexpr std::string_view kMark =
    R"(<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M7.5 1.5h9l6 6v9l-6 6h-9l-6-6v-9z" style="stroke-width:1.6"/>)"
    R"(<path d="M7 17.5l5-11.5 5 11.5M8.9 13.4h6.2" style="stroke-width:1.6"/></svg>)";

Html rail(const Section& section) {
  Html out = html("<p class=\"k\">{}</p><h2>{}</h2>\n", section.name, section.finding);
  for (const Html& note : section.notes) {
    if (!note.empty()) out += html("<p class=\"n\">{}</p>\n", note);
  }
  return out;
}

Html cost_table(const std::vector<CostRow>& costs) {
  Html rows;
  for (const CostRow& cost : costs) {
    const double scale = std::max({finite(cost.planned, "a planned cost"), finite(cost.actual, "an actual cost"), 1e-300}) / 0.94;
    rows += html(
        "<tr><th scope=\"row\">{}</th><td class=\"num\">{}</td><td class=\"num\">{}</td><td><div class=\"bl\">"
        "<i style=\"width:{}%\"></i><b style=\"left:{}%\"></b></div></td></tr>\n",
        capitalised(cost.name), cost.planned_text, cost.actual_text, fixed(100 * std::max(0.0, cost.actual) / scale, 1),
        fixed(100 * std::max(0.0, cost.planned) / scale, 1));
  }
  return html(
      "<h3 style=\"margin-top:28px\">What it cost, planned and actual</h3>\n<table class=\"cost\"><thead><tr>"
      "<td></td><th scope=\"col\" class=\"num\">planned</th><th scope=\"col\" class=\"num\">actual</th>"
      "<th scope=\"col\" style=\"width:38%\">actual; the mark is the plan</th></tr></thead><tbody>\n{}</tbody></table>\n",
      rows);
}

}  // namespace

std::string script() { return std::string(kScript); }

Html masthead(const std::string& command, const std::vector<Anchor>& anchors) {
  Html links;
  for (const Anchor& anchor : anchors) links += html("<a href=\"#{}\">{}</a>", anchor.id, anchor.text);
  return html(
      "<header class=\"mast\">\n{}\n<b>Assay</b><span>{}</span>\n<nav aria-label=\"Sections\">{}</nav>\n</header>\n",
      Html::markup(std::string(kMark)), command, links);
}

Html headline(const Html& finding, const Html& deck, const std::vector<std::string>& facts) {
  Html out = html("<h1>{}</h1>\n<p class=\"deck\">{}</p>\n<p class=\"facts\">", finding, deck);
  for (const std::string& fact : facts) {
    if (!fact.empty()) out += html("<span>{}</span> ", fact);
  }
  return out + Html::markup("</p>\n");
}

Html section(const Section& section) {
  return html("<section class=\"s\" id=\"{}\">\n<div class=\"rail\">{}</div>\n<div class=\"st\">{}</div></section>\n",
              section.id, rail(section), section.stage);
}

Html wide_section(const Section& section) {
  return html("<section class=\"s w\" id=\"{}\">\n<div class=\"top\">{}</div>\n{}</section>\n", section.id, rail(section), section.stage);
}

Html how_to_read(const std::vector<ReadingLine>& lines) {
  Html items;
  for (const ReadingLine& line : lines) items += html("<li><b>{}</b> {}</li>\n", line.name, line.text);
  const std::string finding = capitalised(count_in_words(std::ssize(lines))) + (lines.size() == 1 ? " line" : " lines");
  return section({.id = "read",
                  .name = "How to read this",
                  .finding = Html::text(finding),
                  .notes = {},
                  .stage = html("<ol class=\"read\">\n{}</ol>", items)});
}

Html provenance(const Provenance& provenance) {
  Html rows;
  for (const ProvenanceRow& row : provenance.rows) {
    const Html code = row.code.empty() ? Html() : html("<code>{}</code>", row.code);
    const Html gap = Html::markup(row.code.empty() || row.text.empty() ? "" : "<br>");
    rows += html("<tr><th scope=\"row\">{}</th><td>{}{}{}</td></tr>\n", row.name, code, gap, row.text);
  }
  Html stage = html("<pre data-copy><code>{}</code></pre>\n<table class=\"prov\"><tbody>\n{}</tbody></table>\n",
                    provenance.command, rows);
  if (!provenance.costs.empty()) stage += cost_table(provenance.costs);
  const std::string note =
      provenance.note.empty() ? "The same command on the same files gives the same bits." : provenance.note;
  return section({.id = "prov",
                  .name = "Provenance",
                  .finding = Html::text("Run it again"),
                  .notes = {Html::text(note)},
                  .stage = stage});
}

std::string page(const std::string& title, const Html& masthead, const Html& main, const std::string& footer) {
  return html(
             "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
             "script-src 'sha256-{}'\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n"
             "<style>{}</style>\n</head>\n<body>\n<div class=\"page\">\n{}<main>\n{}</main>\n"
             "<footer class=\"foot\">{}</footer>\n</div>\n<script>{}</script>\n</body>\n</html>\n",
             base64(sha256(kScript)), title, Html::markup(style_sheet()), masthead, main, footer,
             Html::markup(script()))
      .str();
}

}  // namespace assay::report
