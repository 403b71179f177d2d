"""What axe-core finds on a page."""

from pathlib import Path

import axe_playwright_python

AXE = (Path(next(iter(axe_playwright_python.__path__))) / "axe.min.js").read_text(encoding="utf-8")


def faults_of_access(page) -> list[str]:
    """Violations that are serious or critical, each with the element that has it."""
    page.evaluate(AXE)
    # what moves is looked at where it comes to rest
    page.evaluate(
        "() => document.getAnimations().forEach((one) => one.effect.getTiming().iterations < 99 && one.finish())"
    )
    found = page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found if one["impact"] in ("serious", "critical")
    ]
