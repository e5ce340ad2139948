"""The exact temperature of a long rectangular bar that cools by convection on all four sides.

Constant properties, uniform start, the same heat-transfer coefficient everywhere: the bar is then
the product of two plane walls (Carslaw and Jaeger, Conduction of Heat in Solids, 2nd ed., 1959,
sections 3.11 and 5.6), each a series over the roots of  zeta * tan(zeta) = Biot.
"""

import math

TERMS = 40


def roots(biot, count=TERMS):
    """The first roots of zeta·tan(zeta) = biot; the n-th lies between n·pi and n·pi + pi/2."""
    found = []
    for n in range(count):
        low, high = n * math.pi, n * math.pi + math.pi / 2
        for _ in range(80):
            middle = (low + high) / 2
            # zeta·sin(zeta) - biot·cos(zeta), without the pole of the tangent; its sign
            # alternates with n.
            value = middle * math.sin(middle) - biot * math.cos(middle)
            if (value < 0) == (n % 2 == 0):
                low = middle
            else:
                high = middle
        found.append((low + high) / 2)
    return found


class Wall:
    """A plane wall of half thickness `half` (m), both faces cooled."""

    def __init__(self, half, conductivity, diffusivity, coefficient):
        self.half, self.diffusivity = half, diffusivity
        self.terms = []
        for zeta in roots(coefficient * half / conductivity):
            factor = 4.0 * math.sin(zeta) / (2.0 * zeta + math.sin(2.0 * zeta))
            self.terms.append((zeta, factor))

    def excess(self, position, time):
        """(T - gas) / (start - gas) at `position` m from the middle after `time` s."""
        fourier = self.diffusivity * time / self.half**2
        place = position / self.half
        return math.fsum(
            factor * math.exp(-zeta * zeta * fourier) * math.cos(zeta * place)
            for zeta, factor in self.terms
        )


class Bar:
    """A long bar of half width and half height (m), at `start` °C, in gas at `gas` °C."""

    def __init__(self, half_width, half_height, material, coefficient, start, gas):
        k, a = material["conductivity"], material["diffusivity"]
        self.across = Wall(half_width, k, a, coefficient)
        self.up = Wall(half_height, k, a, coefficient)
        self.start, self.gas = start, gas

    def temperature(self, x, y, time):
        """°C at (x, y) m from the middle after `time` s; exact for time > 0."""
        share = self.across.excess(x, time) * self.up.excess(y, time)
        return self.gas + (self.start - self.gas) * share
