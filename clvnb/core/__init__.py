"""The ground: tables, results, errors, words, the engine; imports nothing of clvnb."""
