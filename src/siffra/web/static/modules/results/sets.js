// The sets that runs are scored on: which there are depends on the data set.

/** All that there can be, in the order in which they are shown. */
export const SETS = [
  "test",
  "moved",
  "rotated",
  "scaled",
  "noisy",
  "blurred",
  "faded",
  "occluded",
  "val",
  "train",
];

/** Those for which there is something in any of these, by set. */
export function setsIn(...bySet) {
  return SETS.filter((set) => bySet.some((each) => each && set in each));
}

/** The same without training and validation. */
export function testSetsIn(...bySet) {
  return setsIn(...bySet).filter((set) => set !== "val" && set !== "train");
}
