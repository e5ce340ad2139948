"""A small neural network learns to tell two interleaved half-moons apart; standard library only.

It stands in for any training script: it prints its progress, writes a checkpoint after every few
epochs, and goes on from the checkpoint if it is started again. The points are made here, from a
fixed seed. EPOCHS and WIDTH are read from the environment.
"""

import json
import math
import os
import random
import sys

EPOCHS = int(os.environ.get("EPOCHS", "60"))
WIDTH = int(os.environ.get("WIDTH", "8"))
CHECKPOINT = os.environ.get("CHECKPOINT", "model.json")
RATE = 0.1


def points(count, seed):
    """`count` noisy points (x, y, which moon)."""
    draw = random.Random(seed)
    made = []
    for i in range(count):
        angle, moon = math.pi * draw.random(), i % 2
        x, y = math.cos(angle), math.sin(angle)
        if moon:
            x, y = 1.0 - x, 0.5 - y
        made.append((x + draw.gauss(0, 0.12), y + draw.gauss(0, 0.12), moon))
    return made


def forward(model, x, y):
    hidden = [math.tanh(a * x + b * y + c) for a, b, c in model["hidden"]]
    z = model["bias"] + sum(w * h for w, h in zip(model["out"], hidden))
    return hidden, 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, z))))


def train_epoch(model, data):
    for x, y, moon in data:
        hidden, p = forward(model, x, y)
        error = p - moon
        for unit, h, i in zip(model["hidden"], hidden, range(len(hidden))):
            back = error * model["out"][i] * (1.0 - h * h)
            model["out"][i] -= RATE * error * h
            unit[0] -= RATE * back * x
            unit[1] -= RATE * back * y
            unit[2] -= RATE * back
        model["bias"] -= RATE * error


def accuracy(model, data):
    return sum((forward(model, x, y)[1] >= 0.5) == moon for x, y, moon in data) / len(data)


def start():
    """The checkpoint if there is one that fits, else a fresh model."""
    try:
        with open(CHECKPOINT, encoding="utf-8") as file:
            model = json.load(file)
        if len(model["hidden"]) == WIDTH:
            print(f"going on after epoch {model['epoch']}")
            return model
        print(f"{CHECKPOINT} has another width: starting afresh")
    except FileNotFoundError:
        pass
    draw = random.Random(1)
    return {
        "epoch": 0,
        "hidden": [[draw.gauss(0, 1) for _ in range(3)] for _ in range(WIDTH)],
        "out": [draw.gauss(0, 1) for _ in range(WIDTH)],
        "bias": 0.0,
    }


def save(model):
    with open(CHECKPOINT + ".tmp", "w", encoding="utf-8") as file:
        json.dump(model, file)
    os.replace(CHECKPOINT + ".tmp", CHECKPOINT)


def main():
    train, test = points(600, seed=2), points(400, seed=3)
    model = start()
    while model["epoch"] < EPOCHS:
        train_epoch(model, train)
        model["epoch"] += 1
        if model["epoch"] % 10 == 0 or model["epoch"] == EPOCHS:
            save(model)
            print(f"epoch {model['epoch']}: accuracy {accuracy(model, train):.3f}", flush=True)
    result = accuracy(model, test)
    print(f"METRIC train test_accuracy={result:.4f} epochs={model['epoch']} width={WIDTH}")
    sys.exit(result < 0.9)


if __name__ == "__main__":
    main()
