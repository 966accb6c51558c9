// The sets that runs are scored on: which there are depends on the data set.

import { keysIn } from "../words.js";

const LAST = ["val", "train"];

/** Those for which there is something in any of these, by set. */
export function setsIn(...bySet) {
  const sets = [...keysIn("set").filter((set) => !LAST.includes(set)), ...LAST];
  return sets.filter((set) => bySet.some((each) => each && set in each));
}

/** The same without training and validation. */
export function testSetsIn(...bySet) {
  return setsIn(...bySet).filter((set) => !LAST.includes(set));
}
