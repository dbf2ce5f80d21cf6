"""The look of the annotator's page: CSS, which Label Studio applies to its whole page.

It contains no `<`, `>` or `&`, because Label Studio escapes them. Names that begin with `lsf-` are Label Studio's own;
if another version has other names, those rules do nothing and the page still works.
"""

from __future__ import annotations

# Label Studio shows no picture higher than 100vh - 194px, so a square close-up is at most that wide. Beside it there is
# room for two square pictures, one above the other; they take at most a third, so that the close-up is the largest.
STYLE = """
.acb { display: grid; grid-template-columns: minmax(0, 1fr) minmax(320px, 27%); gap: 18px; align-items: start }
.acb h4 { margin: 2px 0 !important; font-size: 14px; line-height: 20px; font-weight: 500 }
.acb h4:empty, .acb-mark { display: none }
.acb [class*="toolbar"] { display: none }

.lsf-sidepanels:has(.acb) { padding: 0 !important }
.lsf-sidepanels:has(.acb) .lsf-sidepanels__wrapper { display: none }

.acb-pictures { display: grid; grid-template-columns: minmax(0, calc(100vh - 194px)) minmax(0, min(50vh - 124px, 33%));
  gap: 12px; align-items: start }
.acb-pictures h4 { opacity: .75 }
.acb-more { display: grid; gap: 2px }
.acb-caption { display: flex; flex-wrap: wrap; column-gap: .4em }
.acb-hint h4 { font-size: 12px; font-weight: 400 }

.acb-pictures:not(:has(.acb-unmarked h4:not(:empty))) .acb-if-unmarked { display: none }
.acb-pictures:has(.acb-unmarked h4:not(:empty)) { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr) }
.acb-pictures:has(.acb-unmarked h4:not(:empty)):has(.acb-alone h4:not(:empty)) {
  grid-template-columns: minmax(0, calc(100vh - 194px)) minmax(180px, 1fr) }
.acb-pictures:has(.acb-unmarked h4:not(:empty)) .acb-if-marked { display: none }
.acb-pictures:not(:has(.acb-alone h4:not(:empty))) .acb-if-alone { display: none }
.acb-pictures:has(.acb-alone h4:not(:empty)) .acb-unless-alone { display: none }

.acb-side { position: sticky; top: 0; max-height: calc(100vh - 116px); overflow-y: auto }
.acb-asked h4 { font-size: 12px; font-weight: 400; opacity: .75 }
.acb-side .lsf-choices, .acb-side .lsf-choice, .acb-side .lsf-choice__item { margin: 0 !important; padding: 0 }
.acb-side label { display: flex; position: relative; width: 100%; margin: 0 !important; padding: 1px 26px 1px 0 }
.acb-side label sup { position: absolute; right: 2px; top: 16px; font-size: 12px; font-weight: 600 }
.acb-side small { display: block; margin: -7px 0 -5px; font-size: 12px; font-weight: 400; line-height: 1.25;
  opacity: .75 }
.acb-clash h4 { margin-top: 8px !important; color: #d93636 !important; font-weight: 600 }
.acb-side [data-testid="textarea-control"] { margin-top: 10px !important }
.acb-clash [data-testid="textarea-control"] { display: none }

.acb-guide { white-space: normal }
.acb-guide h3 { margin: 18px 0 4px; font-size: 16px; font-weight: 600 }
.acb-guide p { margin: 0 0 6px }
.acb-guide td { padding: 6px 12px 6px 0; border-top: 1px solid rgba(128, 128, 128, .3) }
.acb-guide i { font-style: normal; opacity: .7 }
"""
