import { Link } from "@tanstack/react-router";

/** Where a page belongs to. */
export function Crumb({ to, name }: { to: "/runs" | "/recipes"; name: string }) {
  return (
    <nav aria-label="Breadcrumb" className="text-sm">
      <Link to={to} className="text-quiet hover:underline">
        {name}
      </Link>
      <span aria-hidden className="text-quiet">
        {" "}
        /
      </span>
    </nav>
  );
}
