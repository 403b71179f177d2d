"""The leaderboard: results of all listening tests from the stored votes, kept up to date beside the votes' way."""
