"""What data must look like, in one place: columns, feeds, features, published tables. Imports no other part of ours."""
