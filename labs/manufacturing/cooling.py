"""How hard to blow on a machined bar of mould steel: transient heat conduction, 2-D.

    python3 cooling.py run --setting N     simulate one cooling setting (N from 0)
    python3 cooling.py pick                the setting that is done soonest within the limits
    python3 cooling.py settings            the settings, one line each

Results go to $SUANPAN_LAB_OUT, else ./results. The model, its constants and their sources are in
README.md; standard library only.
"""

import argparse
import json
import math
import os
import sys
import tempfile
import time

import analytic

# AISI P20 (DIN 1.2311) mould steel, constant properties near room temperature.
CONDUCTIVITY = 29.0  # W/(m·K)
HEAT_CAPACITY = 460.0  # J/(kg·K)
DENSITY = 7850.0  # kg/m³
MATERIAL = {
    "conductivity": CONDUCTIVITY,
    "diffusivity": CONDUCTIVITY / (DENSITY * HEAT_CAPACITY),
}

HALF_WIDTH = 0.040  # m: the bar's section is 80 mm by 50 mm
HALF_HEIGHT = 0.025  # m
START = 550.0  # °C, at the end of stress relieving
GAS = 30.0  # °C
HANDLING = 80.0  # °C: the hottest point must be below this before the bar is taken out
DIFFERENCE_MOST = 85.0  # K within the section at any time, so that the bar stays straight
WINDOW = 1500.0  # s: simulated time

# Nitrogen pressure in bar. The coefficient of a turbulent flow grows with density to the 0.8.
PRESSURES = (0.8, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0)
COEFFICIENT_AT_1_BAR = 100.0  # W/(m²·K)

CELLS_X, CELLS_Y = 24, 15  # of the quarter that is simulated: 1.667 mm squares
CHECK_TIMES = (60.0, 150.0, 300.0, 600.0, 900.0, 1200.0, 1500.0)  # s
ERROR_MOST = 0.0005  # of START - GAS, at every node and check time, against the exact solution


class LabError(Exception):
    """Something the reader can put right; printed without a traceback."""


def coefficient(pressure):
    """W/(m²·K) at a gas pressure in bar."""
    return COEFFICIENT_AT_1_BAR * pressure**0.8


# --- the simulation -------------------------------------------------------------------------


class Section:
    """A quarter of the section: nodes from the middle (0, 0) to the cooled corner.

    Explicit finite differences by energy balance on each node's own volume (Incropera et al.,
    Fundamentals of Heat and Mass Transfer, section on the explicit method). Temperatures are
    kept as excess over the gas, so the gas is 0.
    """

    def __init__(self, heat_coefficient):
        self.dx = HALF_WIDTH / CELLS_X
        assert math.isclose(self.dx, HALF_HEIGHT / CELLS_Y), "the cells are squares"
        self.biot = heat_coefficient * self.dx / CONDUCTIVITY
        # The corner node has the smallest volume for its surface and limits the step.
        fourier_most = 1.0 / (4.0 * (1.0 + self.biot))
        limit = fourier_most * self.dx**2 / MATERIAL["diffusivity"]
        # The longest step of at most 95 % of the limit that divides the 30 s grid of check times.
        self.steps_in_30_s = math.ceil(30.0 / (0.95 * limit))
        self.dt = 30.0 / self.steps_in_30_s
        self.fourier = MATERIAL["diffusivity"] * self.dt / self.dx**2
        self.rows = [[START - GAS] * (CELLS_X + 1) for _ in range(CELLS_Y + 1)]

    def step(self):
        """One time step for every node."""
        rows, last = self.rows, CELLS_Y
        # Beyond the middle lies the mirror image; beyond the cooled side there is no node.
        new = [self._inner_row(rows[1], rows[0], rows[1])]
        for j in range(1, last):
            new.append(self._inner_row(rows[j - 1], rows[j], rows[j + 1]))
        new.append(self._outer_row(rows[last - 1], rows[last]))
        self.rows = new

    def _inner_row(self, below, here, above):
        f = self.fourier
        keep = 1.0 - 4.0 * f
        row = [keep * here[0] + f * (2.0 * here[1] + below[0] + above[0])]
        row += [
            keep * t + f * (west + east + south + north)
            for t, west, east, south, north in zip(
                here[1:-1], here, here[2:], below[1:-1], above[1:-1]
            )
        ]
        face = 1.0 - f * (4.0 + 2.0 * self.biot)
        row.append(face * here[-1] + f * (2.0 * here[-2] + below[-1] + above[-1]))
        return row

    def _outer_row(self, below, here):
        f = self.fourier
        keep = 1.0 - f * (4.0 + 2.0 * self.biot)
        row = [keep * here[0] + f * (2.0 * here[1] + 2.0 * below[0])]
        row += [
            keep * t + f * (west + east + 2.0 * south)
            for t, west, east, south in zip(here[1:-1], here, here[2:], below[1:-1])
        ]
        corner = 1.0 - f * (4.0 + 4.0 * self.biot)
        row.append(corner * here[-1] + 2.0 * f * (here[-2] + below[-1]))
        return row

    def hottest(self):
        """°C in the middle, the last point to cool."""
        return self.rows[0][0] + GAS

    def coldest(self):
        """°C at the corner, the first point to cool."""
        return self.rows[-1][-1] + GAS


def worst_error(section, seconds, exact):
    """The largest distance from the exact solution over all nodes, as a share of START - GAS."""
    across = [exact.across.excess(i * section.dx, seconds) for i in range(CELLS_X + 1)]
    up = [exact.up.excess(j * section.dx, seconds) for j in range(CELLS_Y + 1)]
    return max(
        abs(t / (START - GAS) - a * u)
        for row, u in zip(section.rows, up)
        for t, a in zip(row, across)
    )


def simulate(pressure):
    """What one setting does to the bar."""
    h = coefficient(pressure)
    section = Section(h)
    exact = analytic.Bar(HALF_WIDTH, HALF_HEIGHT, MATERIAL, h, START, GAS)
    steps = round(WINDOW / section.dt)
    check_steps = {round(t / section.dt): t for t in CHECK_TIMES}
    done_at, widest, widest_at, checks = None, 0.0, 0.0, []
    for n in range(1, steps + 1):
        before = section.hottest()
        section.step()
        hottest, difference = section.hottest(), section.hottest() - section.coldest()
        if difference > widest:
            widest, widest_at = difference, n * section.dt
        if done_at is None and hottest <= HANDLING:
            # Between two steps the temperature is close to a straight line.
            done_at = (n - (HANDLING - hottest) / (before - hottest)) * section.dt
        if n in check_steps:
            checks.append(
                {
                    "seconds": check_steps[n],
                    "middle": section.hottest(),
                    "corner": section.coldest(),
                    "error": worst_error(section, check_steps[n], exact),
                }
            )
    return {
        "pressure_bar": pressure,
        "coefficient": h,
        "steps": steps,
        "step_seconds": section.dt,
        "nodes": (CELLS_X + 1) * (CELLS_Y + 1),
        "done_seconds": done_at,
        "difference_most": widest,
        "difference_most_at": widest_at,
        "checks": checks,
        "error_most": max(c["error"] for c in checks),
    }


# --- the two jobs ---------------------------------------------------------------------------


def results_folder():
    folder = os.environ.get("SUANPAN_LAB_OUT") or "results"
    os.makedirs(folder, exist_ok=True)
    return folder


def write_whole(path, text):
    """Write a file so that a reader sees all of it or the old one, even if we are killed."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path) or ".", suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def run(setting):
    if not 0 <= setting < len(PRESSURES):
        raise LabError(f"--setting {setting}: there are settings 0 to {len(PRESSURES) - 1}")
    started = time.monotonic()
    result = {"setting": setting, **simulate(PRESSURES[setting])}
    result["seconds"] = round(time.monotonic() - started, 3)
    path = os.path.join(results_folder(), f"setting-{setting}.json")
    write_whole(path, json.dumps(result, indent=2) + "\n")
    done = "not within the window" if result["done_seconds"] is None else (
        f"after {result['done_seconds']:.1f} s")
    print(
        f"setting {setting}: {result['pressure_bar']} bar, {result['coefficient']:.0f} W/m²K: "
        f"below {HANDLING:.0f} °C {done}, at most {result['difference_most']:.1f} K apart, "
        f"error {result['error_most']:.2e}, {result['seconds']} s"
    )


def read_settings(folder):
    """The result of every setting, or an error that names what is missing."""
    found = []
    for setting, pressure in enumerate(PRESSURES):
        path = os.path.join(folder, f"setting-{setting}.json")
        try:
            with open(path, encoding="utf-8") as file:
                result = json.load(file)
        except (OSError, ValueError) as problem:
            raise LabError(f"{path}: {problem}; run settings 0 to {len(PRESSURES) - 1} first")
        if result["setting"] != setting or result["pressure_bar"] != pressure:
            raise LabError(f"{path}: made with other settings; run it again")
        found.append(result)
    return found


def verdict(result):
    """Why a setting may not be used, or None."""
    if result["error_most"] > ERROR_MOST:
        return f"error {result['error_most']:.2e} above {ERROR_MOST}"
    if result["difference_most"] > DIFFERENCE_MOST:
        return f"{result['difference_most']:.1f} K apart, {DIFFERENCE_MOST:.0f} K allowed"
    if result["done_seconds"] is None:
        return f"not below {HANDLING:.0f} °C within {WINDOW:.0f} s"
    return None


def best_of(results):
    usable = [r for r in results if verdict(r) is None]
    if not usable:
        raise LabError("no setting meets the limits: " + "; ".join(
            f"{r['pressure_bar']} bar: {verdict(r)}" for r in results))
    return min(usable, key=lambda r: r["done_seconds"])


def pick():
    folder = results_folder()
    results = read_settings(folder)
    best = best_of(results)
    lines = [
        "# Cooling the bar: the setting to use",
        "",
        f"**{best['pressure_bar']} bar**: below {HANDLING:.0f} °C after "
        f"{best['done_seconds']:.0f} s, never more than {best['difference_most']:.1f} K apart "
        f"({DIFFERENCE_MOST:.0f} K allowed).",
        "",
        "| setting | bar | W/m²K | done after s | most K apart | error | verdict |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in results:
        done = "–" if r["done_seconds"] is None else f"{r['done_seconds']:.1f}"
        lines.append(
            f"| {r['setting']} | {r['pressure_bar']} | {r['coefficient']:.0f} | {done} "
            f"| {r['difference_most']:.1f} | {r['error_most']:.2e} "
            f"| {'**chosen**' if r is best else verdict(r) or 'slower'} |"
        )
    choice = {
        "setting": best["setting"],
        "pressure_bar": best["pressure_bar"],
        "done_seconds": best["done_seconds"],
        "difference_most": best["difference_most"],
        "error_most": max(r["error_most"] for r in results),
    }
    write_whole(os.path.join(folder, "choice.json"), json.dumps(choice, indent=2) + "\n")
    write_whole(os.path.join(folder, "choice.md"), "\n".join(lines) + "\n")
    print(
        f"METRIC manufacturing error_most={choice['error_most']:.2e} "
        f"pressure_bar={choice['pressure_bar']} done_seconds={choice['done_seconds']:.1f} "
        f"difference_most={choice['difference_most']:.1f}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("run").add_argument("--setting", type=int, required=True)
    verbs.add_parser("pick")
    verbs.add_parser("settings")
    arguments = parser.parse_args()
    try:
        if arguments.verb == "run":
            run(arguments.setting)
        elif arguments.verb == "pick":
            pick()
        else:
            for setting, pressure in enumerate(PRESSURES):
                print(f"{setting}\t{pressure} bar\t{coefficient(pressure):.0f} W/(m²·K)")
    except LabError as problem:
        sys.exit(f"cooling.py: {problem}")


if __name__ == "__main__":
    main()
