// Escape that closes something, or ends what is being composed, ends no answer.
export const endsAnswer = ({ key, isComposing, defaultPrevented }: KeyboardEvent) =>
  key === 'Escape' && !isComposing && !defaultPrevented && !document.querySelector(':popover-open, dialog[open]');
