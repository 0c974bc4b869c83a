"""How long a lab in chapter 02 takes in the kernel to follow a slider: ``python
tests/benchmarks/bench_labs.py``.

Every move changes a value that affects the picture, with 20 draws shown. The time includes the
widgets' own work, but not the transfer to the browser or the browser's rendering. A move should
take at most 50 ms, so that dragging feels immediate.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from openai.types.chat import ChatCompletion

from coursekit import connect
from coursekit.logits import distribution_names, load_reply
from coursekit.widgets.logprob_strip import LogprobStrip
from coursekit.widgets.sampling_lab import SamplingLab

MOVES = 500


def measure(name: str, move: Callable[[int], None], moves: int = MOVES) -> None:
    taken = []
    for number in range(moves):
        start = time.perf_counter()
        move(number)
        taken.append(1000 * (time.perf_counter() - start))
    ranked = sorted(taken)
    print(
        f"{name:42} median {statistics.median(taken):5.1f} ms   95% "
        f"{ranked[int(0.95 * moves)]:5.1f} ms   "
        f"slowest {ranked[-1]:5.1f} ms"
    )


def main() -> None:
    lab = SamplingLab(connect("replay", speed="instant"))
    lab.sample.click()
    for name in ("traffic_light", "first_name", "haiku_loop"):
        lab.prompt.value = name
        lab.sample.click()
        for slider, step in (
            ("temperature", 0.05),
            ("top_p", 0.01),
            ("frequency_penalty", 0.1),
            ("seed", 1),
        ):
            control = lab.sliders[slider]

            def move(
                number: int, control: object = control, step: float = step
            ) -> None:
                control.value = control.min + step * (1 + number % 19)  # type: ignore[attr-defined]

            measure(f"{name}: {slider}", move, 100)
    names = distribution_names()
    measure(
        "another prompt",
        lambda number: setattr(lab.prompt, "value", names[number % len(names)]),
        100,
    )
    strip = LogprobStrip(
        ChatCompletion.model_validate(load_reply("largest_planet")["response"])
    )
    measure(
        "logprob strip: threshold",
        lambda number: setattr(
            strip.threshold, "value", 0.05 * (1 + number % 19)
        ),
    )


if __name__ == "__main__":
    main()
