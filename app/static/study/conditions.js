/** What still has to be done before a trial can be submitted; the server asks for the same and decides. */

/**
 * Seconds that each slot still has to be heard: `minimumSeconds`, or the whole sound where that is shorter.
 * `lengths` and `heard` are in the order of the slots.
 */
export function stillToHear(minimumSeconds, lengths, heard) {
  return heard.map((seconds, slot) => Math.max(0, Math.min(minimumSeconds, lengths[slot]) - seconds));
}

/** The sentence on what is missing, or null when nothing is. `open` are the labels or questions without an answer. */
export function missingSentence(words, { toHear, names, ungraded, unanswered }) {
  const unheard = names.filter((_, slot) => toHear[slot] > 0);
  const parts = [];
  if (unheard.length > 2) parts.push(words.missing.listenTo(unheard.join(', ')));
  else toHear.forEach((seconds, slot) => seconds > 0 && parts.push(words.missing.listen(names[slot], seconds)));
  if (ungraded.length) parts.push(words.missing.grade(ungraded.join(', ')));
  parts.push(...unanswered.map((question) => words.missing.answer(question)));
  return parts.length ? `${words.missing.intro}${parts.join('; ')}.` : null;
}
