"""The look of the annotator's page: CSS, which Label Studio applies to its whole page.

It contains no `<`, `>` or `&`, because Label Studio escapes them. Names that begin with `lsf-` are Label Studio's own;
if another version has other names, those rules do nothing and the page still works.
"""

from __future__ import annotations

MOST_ROWS = 15
"""Rows of two columns of choices, at most."""

# Label Studio shows no picture higher than 100vh - 194px, so a square close-up is at most that wide. Beside it stand
# three square pictures, one above the other: 100vh - 116px is free, and each has a caption of 24px. The choices have
# the rest, in two columns where they are many, with as many lines of each definition as there is room for; all of it is
# in the instructions, and in a box while the mouse is over a choice.
STYLE = """
.acb { --side: max(340px, 27cqw); --more: calc((100vh - 206px) / 3);
  --close: min(100vh - 194px, 100cqw - var(--side) - var(--more) - 60px);
  display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 18px; align-items: start }
.acb:has(.acb-many) { --side: max(480px, 36cqw) }
.acb h4 { margin: 2px 0 !important; font-size: 14px; line-height: 20px; font-weight: 500 }
.acb h4:empty, .acb-mark { display: none }
.acb [class*="toolbar"] { display: none }

.lsf-sidepanels:has(.acb) { padding: 0 !important; container-type: inline-size }
.lsf-sidepanels:has(.acb) .lsf-sidepanels__wrapper { display: none }

.acb-pictures { display: grid; grid-template-columns: var(--close) var(--more); gap: 12px; align-items: start }
.acb-pictures h4 { opacity: .75; white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
.acb-more { display: grid; grid-template-columns: minmax(0, 1fr); gap: 2px }
.acb-caption { display: flex; flex-wrap: wrap; column-gap: .4em }
.acb-hint h4 { font-size: 12px; font-weight: 400 }

.acb-pictures:not(:has(.acb-unmarked h4:not(:empty))) .acb-if-unmarked { display: none }
.acb:has(.acb-unmarked h4:not(:empty)) { --close: min(100vh - 194px, (100cqw - var(--side) - 60px) * .55);
  --more: min(100vh - 194px, (100cqw - var(--side) - 60px) * .45) }
.acb:has(.acb-unmarked h4:not(:empty)):has(.acb-alone h4:not(:empty)) { --more: 180px;
  --close: min(100vh - 194px, 100cqw - var(--side) - 240px) }
.acb-pictures:has(.acb-unmarked h4:not(:empty)) .acb-if-marked { display: none }
.acb-pictures:not(:has(.acb-alone h4:not(:empty))) .acb-if-alone { display: none }
.acb-if-alone h4 { white-space: normal }
.acb-pictures:has(.acb-alone h4:not(:empty)) .acb-unless-alone { display: none }

.acb-side { position: sticky; top: 0; max-height: calc(100vh - 116px); overflow-y: auto }
.acb-many .lsf-choices { display: grid; grid-auto-flow: column; grid-template-columns: 1fr 1fr; column-gap: 20px }
@media (max-height: 999px) {
  .acb-side.acb-lines-3 small { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 3;
    overflow: hidden }
  .acb-side.acb-lines-2 small { -webkit-line-clamp: 2 }
  .acb-side.acb-lines-1 small { -webkit-line-clamp: 1 }
}
.acb-progress { font-size: 12px; opacity: .75 }
.acb-progress .ant-table { background: none; color: inherit; font-size: inherit; line-height: 18px }
.acb-progress thead, .acb-progress td:first-child { display: none }
.acb-progress * { border: 0 !important }
.acb-progress table, .acb-progress tbody, .acb-progress tr, .acb-progress td { display: inline; padding: 0 !important }
.acb-progress tr:first-child td:last-child::after { content: " of " }
.acb-progress tr:last-child td:last-child::after { content: " images of this round are decided" }
.acb-note:not(:focus-within) .acb-note-keys { display: none }
.acb-note-keys h4 { font-size: 12px; font-weight: 600 }
.acb-asked h4 { font-size: 12px; font-weight: 400; opacity: .75 }
.acb-side .lsf-choices, .acb-side .lsf-choice, .acb-side .lsf-choice__item { margin: 0 !important; padding: 0 }
.acb-side label { display: flex; position: relative; width: 100%; margin: 0 !important; padding: 1px 26px 1px 0 }
.acb-side label sup { position: absolute; right: 2px; top: 16px; font-size: 12px; font-weight: 600 }
.acb-side small { display: block; margin: -7px 0 -5px; font-size: 12px; font-weight: 400; line-height: 1.25;
  opacity: .75 }
.acb-clash h4 { margin-top: 8px !important; color: #d93636 !important; font-weight: 600 }
.acb-side [data-testid="textarea-control"] { margin-top: 6px !important }
.acb-side .ant-form-item { margin-bottom: 4px }
.acb-side .ant-collapse-header { padding: 4px 8px !important }
.acb-side .ant-collapse *, .acb-side .ant-collapse { background: none !important; color: inherit !important }
.acb-clash [data-testid="textarea-control"] { display: none }

.acb-guide { white-space: normal }
.acb-guide h3 { margin: 18px 0 4px; font-size: 16px; font-weight: 600 }
.acb-guide p { margin: 0 0 6px }
.acb-guide td { padding: 6px 12px 6px 0; border-top: 1px solid rgba(128, 128, 128, .3) }
.acb-guide i { font-style: normal; opacity: .7 }
""" + "".join(
    f".acb-rows-{rows} .lsf-choices {{ grid-template-rows: repeat({rows}, auto) }}\n"
    for rows in range(4, MOST_ROWS + 1)
)
