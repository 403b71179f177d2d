/** The sentences of the page. */

export const KINDS = { pairs: 'in pairs', mos: 'opinion scores', mushra: 'MUSHRA' };

export const FLAGS = {
  trap_failed: 'trap missed', gold_failed: 'gold item missed', low_variance: 'answers hardly differ',
  time_limit: 'out of time', headphones_failed: 'no headphones',
};

export const GROUPS = { open: 'open link', prolific: 'Prolific', mturk: 'Mechanical Turk' };

export const FIGURES = {
  pairs: [
    { name: 'forest', title: 'Ratings', wide: true,
      caption: 'Posterior mean and 95 % interval. The small diamond is the paper\'s fixed point, which has no tie parameter and its own zero.' },
    { name: 'heat', title: 'Who is preferred to whom',
      caption: 'Probability in percent that the next listener prefers the row to the column; the rest is ties and the other way round.' },
    { name: 'time', title: 'Elo over time',
      caption: 'Ratings after growing parts of the votes, with 95 % bands. The last point is the table.' },
  ],
  mos: [{ name: 'bars', title: 'Mean opinion scores', wide: true,
    caption: 'Means with 95 % intervals that are clustered by rater and item.' }],
  mushra: [{ name: 'boxes', title: 'Grades', wide: true,
    caption: 'Boxes hold the middle half of the grades, the thick line is the median, whiskers reach the last grade within 1.5 interquartile ranges, the diamond is the mean.' }],
};

export const METHODS = {
  pairs: [
    'Elo, intervals, ranks and probabilities are those of the full Bayesian Bradley-Terry posterior with a tie parameter (Gibbs sampling), centred on 2000: votes fix only differences.',
    'The rank interval holds 95 % of the posterior of the rank; P(best) is the probability of being rated highest.',
    'The fixed point is equation 9 of the CALM paper, with a tie as half a win to each side. Its intervals take opponents for known and are too narrow, so they are only in the CSV.',
  ],
  mos: [
    'Intervals are clustered by rater and item, since answers of one person and of one sentence resemble each other.',
    'Differences are tested by the raters\' own differences (paired t), adjusted after Holm. Scores of separate tests do not compare (ITU-T P.800), so each study stands alone.',
  ],
  mushra: [
    'Raters are screened after ITU-R BS.1534-3: out goes who grades the hidden reference below 90, or the mid anchor above 90, on more than 15 % of the items.',
    'Differences of medians are tested by permutation within raters, adjusted after Holm.',
  ],
};

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
export const number = (value, digits = 0) => (value === null || value === undefined ? '–' : value.toFixed(digits));
export const interval = (low, high, digits = 0) =>
  (low === null || low === undefined ? '–' : `${number(low, digits)} – ${number(high, digits)}`);
export const counted = (count, one, many = `${one}s`) => `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
export const percent = (share) =>
  (share < 0.001 ? '< 0.1 %' : share > 0.999 ? '> 99.9 %' : `${(100 * share).toFixed(1)} %`);
