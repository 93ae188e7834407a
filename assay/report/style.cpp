#include "assay/report/style.h"

#include <cctype>

namespace assay::report {
namespace {

constexpr std::string_view kSource = R"css(
/* Tokens: paper and ink, sign (p, n), amount (s) */
:root {
  color-scheme: light dark; --paper: #fcfbf8; --wash: #f5f3ed; --ink: #1c1b18; --ink2: #55524a; --ink3: #6d6960;
  --rule: #d6d2c6; --hair: #e9e6dc; --pos: #1059ac; --neg: #a74a04; --p1: #e3eefc; --n1: #faeadd; --p2: #bedbfb;
  --n2: #f4d0b3; --p3: #8ebff6; --n3: #eeaf7b; --p4: #4694e6; --n4: #d37c21; --s1: #f3f0e9; --s2: #e2dfd8;
  --s3: #cdcac3; --s4: #b3b1aa; --s5: #94928b; --serif: Charter,"Iowan Old Style",Georgia,"Liberation Serif",serif;
  --sans: -apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
  --mono: ui-monospace,Menlo,Consolas,"Liberation Mono",monospace;
}
@media screen and (prefers-color-scheme:dark) {
  :root {
    --paper: #15161a; --wash: #1d1f24; --ink: #ece9e2; --ink2: #b5b1a6; --ink3: #959188; --rule: #3d3e42;
    --hair: #292b30; --pos: #6db0f4; --neg: #ed9c55; --p1: #1a2b40; --n1: #382519; --p2: #1b3d64; --n2: #56311a;
    --p3: #1d508a; --n3: #75401d; --p4: #2867ae; --n4: #945327; --s1: #23211d; --s2: #2f2e29; --s3: #403e3a;
    --s4: #54524e; --s5: #696762;
  }
}

/* Page */
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body {
  margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 var(--sans);
  font-variant-numeric: lining-nums tabular-nums; text-wrap: pretty; overflow-wrap: break-word;
}
.page { max-width: 1120px; margin: 0 auto; padding: 0 40px }
a { color: inherit }
:focus-visible { outline: 2px solid var(--pos); outline-offset: 2px }
p, h1, h2, h3, ol, ul, dl, figure { margin: 0; padding: 0 }
code, pre { font: 13px/1.5 var(--mono); overflow-wrap: anywhere }
.s {
  display: grid; grid-template-columns: 232px minmax(0,1fr); column-gap: 48px; border-top: 1px solid var(--ink);
  padding: 12px 0 56px;
}
.s.w { display: block }
.top .n { max-width: 46em }
.k { font-size: 12.5px; font-weight: 600; color: var(--ink3); margin-bottom: 10px }
h2 { font: 700 23px/1.17 var(--serif); letter-spacing: -.008em; margin-bottom: 12px; text-wrap: balance }
h3 { font: 600 14px/1.35 var(--sans); margin-bottom: 10px }
.n { font-size: 14px; line-height: 1.5; color: var(--ink2); margin-bottom: 10px }
.st { padding-top: 30px; min-width: 0 }
.st > *+figure { margin-top: 36px }
q {
  font-family: var(--serif); quotes: none; background: var(--wash); padding: 0 .2em; border-radius: 2px;
  white-space: pre-wrap;
}
.read { list-style: none; counter-reset: r; font: 17px/1.5 var(--serif); max-width: 39em }
.read li { counter-increment: r; padding: 0 0 11px 30px; position: relative }
.read li:before { content: counter(r); position: absolute; left: 0; color: var(--ink3) }
.foot { border-top: 1px solid var(--rule); padding: 14px 0 48px; font-size: 12.5px; color: var(--ink3) }
.verdict {
  font: clamp(19px,17px + .4vw,22px)/1.42 var(--serif); border-left: 3px solid var(--ink); padding-left: 18px;
  max-width: 34em;
}

/* Masthead and headline */
.mast {
  display: flex; gap: 8px 20px; align-items: center; flex-wrap: wrap; border-bottom: 1px solid var(--rule);
  padding: 14px 0 12px; font-size: 13px; color: var(--ink3);
}
.mast b { font: 700 18px/1 var(--serif); color: var(--ink) }
.mast svg { width: 22px; height: 22px; flex: none; margin-right: -11px }
.mast nav { margin-left: auto; display: flex; flex-wrap: wrap; gap: 2px 16px }
.mast a { text-decoration: none }
.mast a:hover { text-decoration: underline }
h1 {
  font: 700 clamp(31px,15px + 3.4vw,54px)/1.06 var(--serif); letter-spacing: -.017em; margin: 44px 0 20px;
  max-width: 19em; text-wrap: balance;
}
.deck { font: clamp(18px,16px + .4vw,21px)/1.48 var(--serif); max-width: 37em }
.facts { font-size: 13px; color: var(--ink3); margin: 14px 0 36px }
.facts span { white-space: nowrap }
.facts span:not(:last-child):after { content: "·"; margin: 0 .2em 0 .5em }

/* Charts: percent across, pixels down */
svg.f { display: block; width: 100%; overflow: visible }
svg text { font: 12.5px var(--sans); fill: var(--ink2) }
svg .b { font-weight: 600; fill: var(--ink) }
svg .pt { fill: var(--pos); font-weight: 600 }
svg .nt { fill: var(--neg); font-weight: 600 }
svg .e { text-anchor: end }
svg .m { text-anchor: middle }
svg .h { paint-order: stroke; stroke: var(--paper); stroke-width: 6px; stroke-linejoin: round }
svg path { fill: none; stroke: var(--ink); vector-effect: non-scaling-stroke }
svg .gr { stroke: var(--hair) }
svg .ax { stroke: var(--ink3) }
svg .z { stroke: var(--ink) }
svg .gd { stroke: var(--ink3); stroke-dasharray: 2 3 }
.fp { fill: var(--p4) }
.fn { fill: var(--n4) }
.fP { fill: var(--pos) }
.fi { fill: var(--ink) }
svg .sp { stroke: var(--pos) }
svg .sn { stroke: var(--neg) }
svg .s4 { stroke: var(--p4) }
svg .t4 { stroke: var(--n4) }

/* Sign and colour steps */
.pos { color: var(--pos) }
.neg { color: var(--neg) }
.p1 { background: var(--p1) }
.p2 { background: var(--p2) }
.p3 { background: var(--p3) }
.p4 { background: var(--p4) }
.n1 { background: var(--n1) }
.n2 { background: var(--n2) }
.n3 { background: var(--n3) }
.n4 { background: var(--n4) }
.s1 { background: var(--s1) }
.s2 { background: var(--s2) }
.s3 { background: var(--s3) }
.s4 { background: var(--s4) }
.s5 { background: var(--s5) }

/* Tables, details, commands */
table { border-collapse: collapse; width: 100%; font-size: 13.5px }
th { font-weight: 600; text-align: left; vertical-align: bottom }
th, td { padding: 5px 12px 5px 0; border-bottom: 1px solid var(--hair); vertical-align: top }
thead th { border-bottom: 1px solid var(--ink3); font-size: 12.5px; line-height: 1.3 }
.num { text-align: right; white-space: nowrap }
thead .num { white-space: normal }
details { margin-top: 12px; font-size: 13.5px }
summary { cursor: pointer; color: var(--ink2); font-size: 13px; width: fit-content }
.scroll { overflow-x: auto; margin-top: 8px }
pre { white-space: pre-wrap; background: var(--wash); padding: 12px 14px; margin: 0 0 6px }
.prov { margin-top: 18px }
.prov td { overflow-wrap: anywhere }
.prov th { font-weight: 400; color: var(--ink3); white-space: nowrap; width: 140px }
.cp {
  font: 12.5px var(--sans); color: var(--ink2); background: none; border: 1px solid var(--rule);
  border-radius: 3px; padding: 2px 9px;
}

/* Support strip */
.strip { margin: 6px 0 48px }
.lab { display: grid; font-size: 14px; line-height: 1.35; margin-bottom: 6px }
.lab p { padding-right: 14px }
.lab p+p { padding-left: 8px; color: var(--ink2) }
.lab b { display: block; font: 700 17px/1.25 var(--serif) }
.sl { fill: var(--paper)!important; font-weight: 600 }
.strip rect.on, .strip rect[data-d]:hover { fill: var(--ink) }

/* Token strip */
.ts, .ts div { display: flex; flex-wrap: wrap; row-gap: 18px; align-items: flex-start }
.ts span { display: flex; flex-direction: column; align-items: center }
.ts b { font: 400 24px/34px var(--serif); padding: 0 2px; margin-right: 1px; border-radius: 2px; white-space: pre }
.ts .sp { margin-left: 7px }
.ts .g b { color: var(--ink3); padding: 0 1px }
.ts i { width: 22px; background: var(--ink2); margin-top: 5px }
.ts .g i { background: none; border: 1px solid var(--ink3) }
.ts span:not(.g) { min-width: 43px }
.ts .g i { width: 15px }
.ts em { font: 600 12.5px/1.3 var(--sans); margin-top: 4px }
.ts em small { display: block; font: 400 12px/1.3 var(--sans); color: var(--ink3); text-align: center }
.ts u { text-decoration: none; width: 1px; align-self: stretch; background: var(--ink); margin: 0 6px 0 13px }

/* Key of the colour steps */
.key {
  display: flex; flex-wrap: wrap; align-items: flex-start; gap: 6px 14px; font-size: 12.5px; color: var(--ink2);
  margin-bottom: 14px;
}
.key ol { display: flex; list-style: none }
.key li { width: 40px; text-align: right; line-height: 1.2 }
.key li i { display: block; height: 16px; margin-bottom: 4px }
.key li.o { width: 46px; text-align: center }
.key .l { line-height: 16px; font-weight: 600 }

/* Document cards and shading */
.c {
  display: grid; grid-template-columns: 232px minmax(0,1fr); column-gap: 48px; padding: 18px 0 20px;
  border-top: 1px solid var(--hair);
}
.c.on { background: var(--wash) }
.c .v { font: 600 25px/1.1 var(--sans); letter-spacing: -.01em }
.c .v small { font: 400 13px var(--sans); color: var(--ink3); letter-spacing: 0 }
.c .rk { float: left; width: 30px; font: 700 16px/27px var(--serif); color: var(--ink3) }
.c .dl { font-size: 12.5px; line-height: 1.5; color: var(--ink3); margin-top: 8px }
.c .dl b { font-weight: 600; color: var(--ink2) }
.bar { position: relative; height: 9px; margin-top: 9px }
.bar i { position: absolute; top: 0; height: 9px }
.bar:after { content: ""; position: absolute; left: var(--z); top: -5px; height: 19px; border-left: 1px solid var(--ink) }
.bar .fp { background: var(--p4) }
.bar .fn { background: var(--n4) }
.sums td:last-child { width: 40%; min-width: 120px }
.sums th, .sums td { vertical-align: middle }
.sums .bar { margin-top: 0 }
.x { font: 18px/1.62 var(--serif); max-width: 38em }
.x i, .full i, .key i { font-style: normal; border-radius: 2px }
.x i, .full i { padding: .1em 0; -webkit-box-decoration-break: clone; box-decoration-break: clone }
i.n3, i.n4 { text-decoration: underline dotted; text-decoration-thickness: 1.5px; text-underline-offset: 4px }
.full { font: 16px/1.6 var(--serif); white-space: pre-wrap; margin-top: 10px; max-width: 41em }
.c.m { padding: 12px 0 12px }
.c.m .v { font-size: 17px }
.c.m .rk { line-height: 20px; font-size: 15px }
.c.m .x { font-size: 16px }
h3.big { font: 700 19px/1.3 var(--serif); margin: 30px 0 10px; padding-top: 10px; border-top: 1px solid var(--ink) }

/* Distribution and share curve */
.pl { padding: 0 14px 0 40px }
.plr { padding: 0 6px 0 34px }
.dots path { stroke-linecap: round; stroke-width: 3.6px }
.dots .big { stroke-width: 6px }

/* Heat map */
.hm td, .hm th { border: 0; text-align: center; padding: 0; font-size: 13px }
.hm { border-collapse: separate; border-spacing: 2px; table-layout: fixed }
.hm tbody td { height: 40px; vertical-align: middle }
.hm thead th { padding-bottom: 4px; font-weight: 400; color: var(--ink2) }
.hm thead tr:first-child th { font-weight: 600; color: var(--ink) }
.hm th[scope=row] {
  text-align: right; padding-right: 8px; font-weight: 400; vertical-align: middle; color: var(--ink2);
}
.hm td.gap, .hm th.gap { width: 10px }
.hm td.tot { text-align: left; padding-left: 6px; position: relative; font-weight: 600 }
.hm td.tot i { display: block; height: 6px; background: var(--p4); margin-top: 2px }
.hm tfoot td { padding-top: 5px; font-weight: 600; vertical-align: top }
.hm th { overflow-wrap: normal }
.oq .n { max-width: 46em; margin-top: 12px }
.hm.dense tbody td { height: 15px }
.hm.dense td.tot { font-size: 11.5px }
.hm tfoot i { display: block; width: 22px; margin: 3px auto 0; background: var(--p4) }

/* Cost */
.cost tbody th { font-weight: 400 }
.cost td { vertical-align: middle }
.bl { position: relative; height: 6px }
.bl i { display: block; height: 6px; background: var(--s5) }
.bl b { position: absolute; top: -5px; height: 16px; border-left: 2px solid var(--ink) }

/* Demo: three columns, unit bars, what the model says */
.q { display: grid; grid-template-columns: repeat(3,minmax(0,1fr)); column-gap: 40px; margin-top: 6px }
.q > div { border-top: 1px solid var(--ink); padding-top: 12px }
.q h2 { min-height: 2.4em }
.sent { font: 20px/1.45 var(--serif); margin: 2px 0 12px }
.sent b { font-weight: 400; background: var(--s2); padding: .08em .16em; border-radius: 2px }
.ex { font: 15px/1.5 var(--serif); color: var(--ink2); list-style: none; margin: 6px 0 12px }
.ex li { padding-left: 14px; text-indent: -14px; margin-bottom: 5px }
.ex li:before {
  content: ""; display: inline-block; width: 8px; height: 8px; margin-right: 6px; background: var(--p4);
}
.ex li.o:before { background: var(--n4) }
.ex li.d:before { background: none; box-shadow: inset 0 0 0 1px var(--ink3) }
.pk { display: grid; grid-template-columns: 92px auto auto 1fr; gap: 7px 10px; align-items: center; font-size: 13.5px }
.pk .me { font-weight: 600; color: var(--ink) }
.pk p { color: var(--ink2) }
.pk .num { font-weight: 600; text-align: left }
.pk .hd { font-size: 11.5px; color: var(--ink3) }
.pk .hd.two { grid-column: 2 / 4 }
.pk .all { color: var(--ink) }
.pk .num small { font-weight: 400; color: var(--ink3) }
.u { display: flex; gap: 2px }
.u.many { flex-wrap: wrap; width: 118px }
.u.many i { width: 6px; height: 12px }
.u i { width: 14px; height: 14px; box-shadow: inset 0 0 0 1px var(--rule) }
.u i.y { background: var(--s5); box-shadow: none }
.u.me_ i.y { background: var(--p4) }
.u i.z { background: var(--s5); box-shadow: none }
.u.me_ i.z { background: var(--n4) }
.ex .ct { font: 12.5px var(--sans); color: var(--ink3); white-space: nowrap }
.plw { padding: 0 34px 0 6px }
.q.sm { margin-top: 24px }
.cap { font-size: 12.5px; color: var(--ink3); margin: 10px 0 0 }
.says { font-size: 14px }
.says td { vertical-align: baseline }
.says td:last-child { font: 17px/1.4 var(--serif) }

/* One column */
@media(max-width:860px) {
  .page { padding: 0 18px }
  .s { display: block; padding-bottom: 44px }
  .st { padding-top: 10px }
  h1 { margin-top: 28px }
  h2 { font-size: 22px }
  .rail .n, h2 { max-width: 34em }
  .mast nav { margin-left: 0; width: 100% }
  .c { display: block; padding: 16px 0 18px }
  .x { margin-top: 12px; font-size: 17px }
  .bar { max-width: 320px }
  .c.m .x { margin-top: 6px }
  .strip { margin-bottom: 36px }
  .pk { grid-template-columns: 96px auto auto 1fr }
  .q { display: block }
  .q > div { margin-bottom: 30px }
  .q h2 { min-height: 0 }
  .u i { width: 19px; height: 19px }
}

/* Telephone */
@media(max-width:560px) {
  .wide { display: none }
  .facts span { display: block; white-space: normal }
  .facts span:after { display: none }
  .ts b { font-size: 21px }
  .ts i { width: 18px }
  .hm td, .hm th { font-size: 12px }
  .hm tbody td { height: 34px }
  .hm th[scope=row] { padding-right: 4px }
  .key li { width: 34px; font-size: 11.5px }
  .key li.o { width: 22px }
  .pl { padding-left: 34px }
  .dots path { stroke-width: 2.2px }
  .dots .big { stroke-width: 5px }
}

/* Paper */
@media print {
  @page { margin: 16mm 14mm }
  * { print-color-adjust: exact }
  body { font-size: 10.5pt; background: none }
  .page { max-width: none; padding: 0 }
  nav, button { display: none!important }
  h1 { font-size: 26pt; margin-top: 12pt }
  .s { grid-template-columns: 46mm minmax(0,1fr); column-gap: 8mm; padding-bottom: 9mm }
  .c, figure, tr, .verdict { break-inside: avoid }
  h2, h3 { break-after: avoid }
  details:not([open]) { display: none }
}
)css";

bool is_blank(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

}  // namespace

std::string style_sheet() {
  std::string out;
  for (std::size_t at = 0; at < kSource.size(); ++at) {
    if (kSource.substr(at, 2) == "/*") {
      at = kSource.find("*/", at) + 1;
    } else if (!is_blank(kSource[at])) {
      const bool closes = kSource[at] == '}' && !out.empty() && out.back() == ';';
      if (closes) out.pop_back();
      out += kSource[at];
    } else {
      // A blank separates words and the parts of a selector; beside punctuation it only helps the reader of this file.
      constexpr std::string_view kPunctuation = "{};:,";
      const std::size_t next = kSource.find_first_not_of(" \n", at);
      const bool is_needed = !out.empty() && kPunctuation.find(out.back()) == std::string_view::npos &&
                             next != std::string_view::npos &&
                             std::string_view("{};").find(kSource[next]) == std::string_view::npos;
      if (is_needed) out += ' ';
      if (next == std::string_view::npos) break;
      at = next - 1;
    }
  }
  return out;
}

}  // namespace assay::report
