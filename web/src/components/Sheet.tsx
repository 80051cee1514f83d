import { Dialog } from "radix-ui";
import type { ReactNode } from "react";

/** A dialog in the middle of the page; Esc and a click beside it close it. */
export function Sheet({
  title,
  titled = true,
  className,
  close,
  children,
}: {
  title: string;
  /** Whether the title is seen. */
  titled?: boolean;
  className: string;
  close: () => void;
  children: ReactNode;
}) {
  return (
    <Dialog.Root open onOpenChange={(open) => open || close()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-30 bg-[rgb(0_0_0/0.35)]" />
        <Dialog.Content
          aria-describedby={undefined}
          className={`fixed top-[12vh] left-1/2 z-40 -translate-x-1/2 overflow-hidden rounded-lg border border-line bg-surface shadow-xl ${className}`}
        >
          <Dialog.Title className={titled ? "mb-3 text-base" : "sr-only"}>{title}</Dialog.Title>
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
