/** JSON as Python's `json.dumps(value, ensure_ascii=False)` and thus Hugging Face's `tojson` writes it. */
export const jsonText = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(jsonText).join(', ')}]`;
  if (typeof value === 'number') return numberText(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}: ${jsonText(inner)}`);
  return `{${pairs.join(', ')}}`;
};

/** Python writes fractions below 1e-4 with an exponent, of two digits at least: `1e-05`. */
const numberText = (n: number): string => {
  if (Number.isInteger(n) || Math.abs(n) >= 1e-4) return JSON.stringify(n);
  return n.toExponential().replace(/e-(\d)$/, 'e-0$1');
};
