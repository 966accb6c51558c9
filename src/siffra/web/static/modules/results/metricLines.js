// The curves of a metric that a program measured, at the epochs for which it told its value.

/** For the metric `on`: the `epochs` of all levels, and a line for each level over all of these. */
export function metricLines({ levels }, on) {
  const told = levels.flatMap((level) => [
    ...level.band[on].epochs,
    ...level.ends[on].map(([epoch]) => epoch),
  ]);
  const epochs = [...new Set(told)].sort((a, b) => a - b);
  const place = new Map(epochs.map((epoch, index) => [epoch, index]));
  const spread = (pairs) => {
    const values = epochs.map(() => null);
    for (const [epoch, value] of pairs) values[place.get(epoch)] = value;
    return values;
  };
  const lines = levels.map(({ name, band, ends }) => {
    const along = (values) => spread(band[on].epochs.map((epoch, i) => [epoch, values[i]]));
    return {
      name,
      mean: along(band[on].mean),
      low: along(band[on].low),
      high: along(band[on].high),
      ends: ends[on],
    };
  });
  return { epochs, lines };
}
