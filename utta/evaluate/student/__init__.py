"""A program that plays a student, held against the real students of dialogues."""
