/** Match rates over time, the oldest first, as a line. */
import { percent } from "../../format/numbers";

const WIDTH = 120;
const HEIGHT = 28;

export function Trend({ rates }: { rates: number[] }) {
  const last = rates.at(-1);
  if (last === undefined || rates.length < 2) return <span />;
  const low = Math.min(...rates);
  const span = Math.max(...rates) - low || 1;
  const points = rates.map((rate, index) => {
    const x = 2 + (index / (rates.length - 1)) * (WIDTH - 4);
    return `${x.toFixed(1)},${(HEIGHT - 3 - ((rate - low) / span) * (HEIGHT - 6)).toFixed(1)}`;
  });
  const told = `Match rate of ${rates.length} runs: from ${percent(rates[0] ?? last)} to ${percent(last)}`;
  const [x, y] = (points.at(-1) ?? "").split(",");
  return (
    <svg role="img" aria-label={told} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} className="h-7 w-30 text-matched">
      <title>{told}</title>
      <polyline points={points.join(" ")} fill="none" stroke="currentColor" strokeWidth="1.5" />
      <circle cx={x} cy={y} r="2" fill="currentColor" />
    </svg>
  );
}
