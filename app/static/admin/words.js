/** The sentences of the administration, in English and French. */

const EN = {
  name: 'Listening studies', password: 'Password', enter: 'Sign in', huggingFace: 'Sign in with Hugging Face',
  leave: 'Sign out', closed: 'The administration is closed. Set CALM_ADMIN_PASSWORD and start the server again.',
  studies: 'Studies', none: 'There is no study yet.', upload: 'Add a study (zip)', newVersion: 'as a new version',
  backup: 'Download a backup', study: 'Study', kind: 'Test', state: 'State', version: 'Version', sessions: 'Sessions',
  finished: 'finished', active: 'going on', votes: 'Votes', back: 'All studies', open: 'Open', pause: 'Pause',
  close: 'Close', duplicate: 'Duplicate', newName: 'Name of the copy', exportAs: 'Export', anonymous: 'without names',
  progress: 'Progress', system: 'System', pair: 'Pair', ratings: 'Ratings', items: 'Items', least: 'Fewest on an item',
  most: 'Most on an item', wanted: 'Ratings wanted on each item: ', results: 'Results so far',
  resultsNote: 'Main trials of raters who are not excluded. Intervals (95 %) are over raters. For publication, use the export and the evaluation.',
  mean: 'Mean', interval: '95 % interval', median: 'Median', raters: 'Raters', wins: 'Wins', ties: 'Ties',
  losses: 'Losses', share: 'Share of wins', noResults: 'No vote counts yet.', rater: 'Rater', panel: 'Panel',
  started: 'Started', answered: 'Trials', pace: 'Seconds a trial', flags: 'Flags', exclude: 'Exclude',
  include: 'Count again', reason: 'Reason (kept in the audit trail)', cancel: 'Cancel', confirm: 'Confirm',
  noSessions: 'Nobody has come yet.', audit: 'Audit trail', when: 'When', who: 'Who', what: 'What', target: 'On',
  why: 'Why', done: 'Done.', working: 'Working …', noAnswer: 'The server does not answer; please try again.',
  excludedFor: 'Excluded: ', link: 'Invitation link', added: 'Added: ', language: 'Language', refresh: 'Refresh',
  states: { draft: 'draft', open: 'open', paused: 'paused', closed: 'closed' },
  sessionStates: { active: 'going on', finished: 'finished', expired: 'out of time', left: 'left' },
  kinds: { mos: 'MOS', pairwise: 'pairs', mushra: 'MUSHRA' },
  flagKinds: {
    trap_failed: 'trap missed', gold_failed: 'gold item missed', low_variance: 'answers hardly differ',
    time_limit: 'out of time', headphones_failed: 'no headphones',
  },
  statistics: 'Statistics', report: 'Download the report', leftOut: 'Left out',
  statisticsNote: 'As on the leaderboard: full posterior or clustered intervals, without excluded, flagged and screened raters. Follows the votes.',
  noAudit: 'Nothing was changed yet.',
  actions: {
    open: 'opened', paused: 'paused', closed: 'closed', duplicate: 'copied', create: 'added', exclude: 'excluded',
    include: 'counted again',
  },
};

const FR = {
  name: "Études d'écoute", password: 'Mot de passe', enter: 'Se connecter', huggingFace: 'Se connecter avec Hugging Face',
  leave: 'Se déconnecter', closed: "L'administration est fermée. Définissez CALM_ADMIN_PASSWORD et redémarrez le serveur.",
  studies: 'Études', none: "Il n'y a pas encore d'étude.", upload: 'Ajouter une étude (zip)', newVersion: 'comme nouvelle version',
  backup: 'Télécharger une sauvegarde', study: 'Étude', kind: 'Test', state: 'État', version: 'Version', sessions: 'Sessions',
  finished: 'terminées', active: 'en cours', votes: 'Votes', back: 'Toutes les études', open: 'Ouvrir', pause: 'Suspendre',
  close: 'Clore', duplicate: 'Dupliquer', newName: 'Nom de la copie', exportAs: 'Exporter', anonymous: 'sans noms',
  progress: 'Avancement', system: 'Système', pair: 'Paire', ratings: 'Notes', items: 'Items', least: 'Minimum par item',
  most: 'Maximum par item', wanted: 'Notes voulues par item : ', results: 'Résultats provisoires',
  resultsNote: "Essais principaux des participants non exclus. Les intervalles (95 %) portent sur les participants. Pour publier, utilisez l'export et l'évaluation.",
  mean: 'Moyenne', interval: 'Intervalle à 95 %', median: 'Médiane', raters: 'Participants', wins: 'Victoires', ties: 'Égalités',
  losses: 'Défaites', share: 'Part des victoires', noResults: 'Aucun vote ne compte encore.', rater: 'Participant', panel: 'Panel',
  started: 'Début', answered: 'Essais', pace: 'Secondes par essai', flags: 'Signalements', exclude: 'Exclure',
  include: 'Compter à nouveau', reason: "Motif (conservé dans le journal d'audit)", cancel: 'Annuler', confirm: 'Confirmer',
  noSessions: "Personne n'est encore venu.", audit: "Journal d'audit", when: 'Quand', who: 'Qui', what: 'Quoi', target: 'Sur',
  why: 'Motif', done: 'Fait.', working: 'En cours …', noAnswer: 'Le serveur ne répond pas ; veuillez réessayer.',
  excludedFor: 'Exclu : ', link: "Lien d'invitation", added: 'Ajoutée : ', language: 'Langue', refresh: 'Actualiser',
  states: { draft: 'brouillon', open: 'ouverte', paused: 'suspendue', closed: 'close' },
  sessionStates: { active: 'en cours', finished: 'terminée', expired: 'hors délai', left: 'abandonnée' },
  kinds: { mos: 'MOS', pairwise: 'paires', mushra: 'MUSHRA' },
  flagKinds: {
    trap_failed: 'piège manqué', gold_failed: 'item de contrôle manqué', low_variance: 'réponses presque identiques',
    time_limit: 'temps écoulé', headphones_failed: 'sans casque',
  },
  statistics: 'Statistiques', report: 'Télécharger le rapport', leftOut: 'Non comptés',
  statisticsNote: 'Comme au classement : loi a posteriori complète ou intervalles groupés, sans les participants exclus, signalés ou écartés. Suit les votes.',
  noAudit: "Rien n'a encore été modifié.",
  actions: {
    open: 'ouverte', paused: 'suspendue', closed: 'close', duplicate: 'copiée', create: 'ajoutée', exclude: 'exclu',
    include: 'compté à nouveau',
  },
};

export const LANGUAGES = { en: EN, fr: FR };
