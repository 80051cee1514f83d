import { Link } from "@tanstack/react-router";
import { ChevronLeft } from "lucide-react";

/** Where a page belongs to. */
export function Crumb({ to, name }: { to: "/runs" | "/recipes"; name: string }) {
  return (
    <nav aria-label="Breadcrumb" className="text-sm">
      <Link to={to} className="-ml-1 inline-flex items-center text-quiet hover:underline">
        <ChevronLeft aria-hidden className="size-4" />
        {name}
      </Link>
    </nav>
  );
}
