"""Checks the manufacturing lab's results; exit 0 only if they are complete and right.

    python3 verify.py [RESULTS]        RESULTS: $SUANPAN_LAB_OUT, else ./results

Everything that decides is recomputed from the exact solution, without the simulation: the written
temperatures, the time to the handling temperature, the limit on differences, and so the choice.
"""

import json
import os
import sys

import analytic
import cooling

# How far a simulated time or difference may lie from the exact one, as a share of it.
CLOSE = 0.005


def exact_done(bar):
    """Seconds until the middle is at the handling temperature, or None within the window."""
    low, high = 1.0, cooling.WINDOW
    if bar.temperature(0.0, 0.0, high) > cooling.HANDLING:
        return None
    for _ in range(60):
        middle = (low + high) / 2
        if bar.temperature(0.0, 0.0, middle) > cooling.HANDLING:
            low = middle
        else:
            high = middle
    return high


def exact_difference(bar):
    """The largest middle-to-corner difference in K, over the whole seconds of the window."""
    return max(
        bar.temperature(0.0, 0.0, t)
        - bar.temperature(cooling.HALF_WIDTH, cooling.HALF_HEIGHT, t)
        for t in range(1, int(cooling.WINDOW) + 1)
    )


def require(holds, complaint):
    if not holds:
        raise cooling.LabError(complaint)


def check_exact_solution(bar):
    """The reference itself: uniform at the start, and the heat it loses is what the gas takes."""
    # After one second the cold has not reached the middle; the series has long converged.
    start = bar.temperature(0.0, 0.0, 1.0)
    require(abs(start - cooling.START) < 1e-4, f"the series starts at {start} °C in the middle")
    h, step = cooling.coefficient(cooling.PRESSURES[-1]), 1e-6
    wall, t = bar.across, 100.0
    inward = (wall.excess(wall.half, t) - wall.excess(wall.half - step, t)) / step
    balance = -cooling.CONDUCTIVITY * inward - h * wall.excess(wall.half, t)
    require(abs(balance) < 1e-3 * h, f"the series breaks the surface condition by {balance}")


def check_setting(result):
    """(exact time, exact largest difference) of one setting, if its file agrees with them."""
    name = f"setting {result['setting']}"
    pressure = cooling.PRESSURES[result["setting"]]
    h = cooling.coefficient(pressure)
    bar = analytic.Bar(
        cooling.HALF_WIDTH, cooling.HALF_HEIGHT, cooling.MATERIAL, h, cooling.START, cooling.GAS
    )
    if pressure == cooling.PRESSURES[-1]:
        check_exact_solution(bar)
    times = tuple(c["seconds"] for c in result["checks"])
    require(times == cooling.CHECK_TIMES, f"{name}: checked at {times}")
    allowed = cooling.ERROR_MOST * (cooling.START - cooling.GAS)
    for c in result["checks"]:
        middle = bar.temperature(0.0, 0.0, c["seconds"])
        corner = bar.temperature(cooling.HALF_WIDTH, cooling.HALF_HEIGHT, c["seconds"])
        off = max(abs(c["middle"] - middle), abs(c["corner"] - corner))
        require(off <= allowed, f"{name}: {off:.3f} K off after {c['seconds']} s")
        require(c["error"] <= cooling.ERROR_MOST, f"{name}: error {c['error']:.2e}")
    done, difference = exact_done(bar), exact_difference(bar)
    said = result["done_seconds"]
    require((said is None) == (done is None), f"{name}: done after {said} s, exactly {done} s")
    require(
        done is None or abs(said - done) <= CLOSE * done,
        f"{name}: done after {said} s, exactly {done} s",
    )
    require(
        abs(result["difference_most"] - difference) <= CLOSE * difference,
        f"{name}: {result['difference_most']} K apart, exactly {difference:.2f} K",
    )
    return done, difference


def check(folder):
    """(choice, largest error); raises LabError with the first thing that is wrong."""
    results = cooling.read_settings(folder)
    exact = [check_setting(r) for r in results]
    usable = [
        (done, setting)
        for setting, (done, difference) in enumerate(exact)
        if done is not None and difference <= cooling.DIFFERENCE_MOST
    ]
    require(usable, "no setting meets the limits")
    with open(os.path.join(folder, "choice.json"), encoding="utf-8") as file:
        choice = json.load(file)
    done, setting = min(usable)
    require(
        choice["setting"] == setting,
        f"the pick chose setting {choice['setting']}; setting {setting} is done after {done:.1f} s",
    )
    return choice, max(r["error_most"] for r in results)


def main():
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        sys.exit(__doc__)
    folder = sys.argv[1] if len(sys.argv) == 2 else os.environ.get("SUANPAN_LAB_OUT") or "results"
    try:
        choice, error = check(folder)
    except cooling.LabError as problem:
        sys.exit(f"verify.py: manufacturing: {problem}")
    except (OSError, ValueError, KeyError) as problem:
        sys.exit(f"verify.py: manufacturing: {folder}: {type(problem).__name__}: {problem}")
    print(
        f"VERIFIED manufacturing error_most={error:.2e} (at most {cooling.ERROR_MOST}), "
        f"{choice['pressure_bar']} bar is the soonest allowed: {choice['done_seconds']:.1f} s"
    )


if __name__ == "__main__":
    main()
