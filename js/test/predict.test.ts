import { describe, expect, it } from "vitest";
import { type Game, gameAt, guessed, isGuessed, meanOff, revealed } from "../src/panels/predict";

/** Plays: each entry is the guess before a decision (a number of chunks ahead, null for silent, "" for none) and what came. */
function play(...moves: [ahead: number | null | "", spoke: boolean][]): Game {
  return moves.reduce(
    (game, [ahead, spoke]) => revealed(ahead === "" ? game : guessed(game, ahead), spoke),
    gameAt(10),
  );
}

describe("predict first", () => {
  it("counts hits, misses, false alarms and silences", () => {
    const { score, next } = play([null, false], [0, true], [null, true], [0, false]);
    expect(score).toMatchObject({ hits: 1, misses: 1, falseAlarms: 1, silences: 1 });
    expect(next).toBe(14);
  });

  it("holds a guess for a later chunk until then, and silent until then", () => {
    const planned = play([2, false], ["", false]);
    expect(isGuessed(planned)).toBe(true);
    expect(planned.score.silences).toBe(2);
    const hit = revealed(planned, true);
    expect(hit.last).toEqual({ chunk: 12, spoke: true, outcome: "hit", off: 0 });
    expect(isGuessed(hit)).toBe(false);
  });

  it("asks anew after silence that was guessed, after a hit and after a false alarm", () => {
    for (const game of [play([null, false]), play([0, true]), play([0, false])]) {
      expect(isGuessed(game)).toBe(false);
    }
  });

  it("tells by how many chunks: a reply that came before the chunk it was expected at", () => {
    const game = play([3, true]);
    expect(game.last).toMatchObject({ outcome: "miss", off: 3 });
  });

  it("tells by how many chunks: a reply after a false alarm", () => {
    const game = play([0, false], [null, false], [null, true]);
    expect(game.last).toMatchObject({ outcome: "miss", off: -2 });
    expect(game.score.offs).toEqual([-2]);
  });

  it("holds the nearest guess against a reply, and none of an earlier one", () => {
    const game = play([0, false], [null, false], [0, true], [null, true]);
    expect(game.score.offs).toEqual([0]);
    expect(game.last?.off).toBeNull();
    expect(meanOff(game.score)).toBe(0);
    expect(meanOff(gameAt(0).score)).toBeNull();
    expect(meanOff(play([0, false], [2, true]).score)).toBe(1);
  });

  it("passes over decisions without a guess, without a count", () => {
    const game = play(["", true], ["", false]);
    expect(game).toMatchObject({ next: 12, last: null });
    expect(game.score).toMatchObject({ hits: 0, misses: 0, falseAlarms: 0, silences: 0 });
  });
});
