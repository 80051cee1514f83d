import { Refused } from "../../api/client";
import { Quoted } from "../../components/Quoted";
import { Failed } from "../../components/Shown";

/** Rows of the sources that cannot be read. Those of older runs are no longer kept, and nothing is wrong with that. */
export function Unread({ error, again }: { error: Error; again: () => void }) {
  if (!(error instanceof Refused && error.status === 404)) return <Failed error={error} again={again} />;
  return (
    <p className="rounded bg-raised px-4 py-3 text-quiet">
      <Quoted text={error.message} />
    </p>
  );
}
