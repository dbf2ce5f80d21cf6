"""An evaluation in Inspect by its own mock model, in a process of its own: `python -m tests.support.inspect_mock`.

The arguments are the project, the folder of logs, and the options of the task as JSON. The model says SAID in turn and
fails once. What it was shown, the figures and the facts of the log are printed as JSON.
"""

from __future__ import annotations

import itertools
import json
import sys
from typing import Any

SAID = (
    '{"labels": ["contamination"], "confidence": 0.9}',
    '{"labels": ["good"]}',
    "I cannot tell.",
    '{"labels": []}',
    '{"labels": ["rust"]}',
    'Well: {"labels": ["scratch_head"]}',
)
FAILS = 7
"""Which question the model fails at."""
PRICE = 0.25
"""Dollars of an answer."""


def main(project: str, logs: str, options: str) -> None:
    """Evaluate and print."""
    from inspect_ai import eval as evaluate
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    from acbench.workflows.inspect_task import classify

    number = itertools.count(1)
    seen: list[list[dict[str, str]]] = []

    def answer(messages: list[Any], *_: Any) -> ModelOutput:
        seen.append([{"role": each.role, **shown(each.content)} for each in messages])
        if (now := next(number)) == FAILS:
            raise RuntimeError("no model today")
        output = ModelOutput.from_content("mock", SAID[now % len(SAID)])
        output.usage = ModelUsage(input_tokens=5, output_tokens=2, total_tokens=7, total_cost=PRICE)
        return output

    task = classify(project=project, **json.loads(options))
    model = get_model("mockllm/model", custom_outputs=answer, memoize=False)
    (log,) = evaluate(task, model=model, log_dir=logs, display="none", fail_on_error=False)
    facts = {
        "status": log.status,
        "task": log.eval.task,
        "log": log.location,
        "facts": log.eval.metadata,
        "figures": {name: each.value for name, each in log.results.scores[0].metrics.items()} if log.results else {},
        "samples": [
            {
                "target": sample.target,
                "category": sample.metadata["category"],
                "value": sample.scores["class_named"].value if sample.scores else None,
            }
            for sample in log.samples or ()
        ],
        "seen": seen,
    }
    print(json.dumps(facts))


def shown(content: Any) -> dict[str, str]:
    """The words of a message, and where its pictures are from."""
    if isinstance(content, str):
        return {"text": content, "pictures": ""}
    text = "\n".join(part.text for part in content if part.type == "text")
    return {"text": text, "pictures": "\n".join(part.image[:200] for part in content if part.type == "image")}


if __name__ == "__main__":
    main(*sys.argv[1:])
